"""A file of maps without a name: they take room on disk instead of memory, and leave nothing behind."""

from __future__ import annotations

import errno
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepret.errors import UserError


class MapFile:
    """Takes maps one after the other, then gives them back, mapped from the disk.

    The file never has a name in its folder: its room is free again once the last of the maps is gone, or the program,
    however that ends.

    Args:
        folder: on the disk that is to hold it.

    Raises:
        UserError: nothing can be written there, or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes: list[tuple[int, ...]] = []
        with self._written():
            self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def write(self, maps: Tensor) -> None:
        """Appends the maps (C, H, W) of one image, in float16."""
        with self._written():
            self.file.write(maps.half().cpu().numpy().tobytes())
        self.shapes.append(tuple(maps.shape))

    @property
    def size(self) -> int:
        """Bytes."""
        return 2 * sum(map(math.prod, self.shapes))

    def read(self) -> list[Tensor]:
        """All maps, float16, in the order of writing; nothing can be written after that."""
        with self._written(), self.file:
            self.file.flush()
            if not self.size:
                return []
            flat = torch.from_numpy(np.memmap(self.file, np.float16, "c"))
        parts = torch.split(flat, [math.prod(shape) for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Says what to do where the maps find no room."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise UserError(
                f"{self.folder}: maps cannot be kept there: "
                f"{'the disk is full' if full else error.strerror or error}; make room, or take fewer or smaller ones: "
                f"stages.map_variants=1, a smaller input.size."
            ) from error
