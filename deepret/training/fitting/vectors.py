"""A file of vectors without a name: they take room on disk instead of memory, and leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepret.errors import UserError
from deepret.files import ROOM, why


class VectorFile:
    """Takes vectors (n, D) float32, then gives all of them back, mapped from a file that has no name.

    Args:
        folder: on the disk that is to hold it; made where it is missing.

    Raises:
        UserError: nothing can be written there, or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dim = self.count = 0
        with self._written():
            folder.mkdir(parents=True, exist_ok=True)
            self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def write(self, vectors: Tensor) -> None:
        """Appends vectors."""
        with self._written():
            self.file.write(vectors.contiguous().numpy().tobytes())
        self.count, self.dim = self.count + len(vectors), vectors.shape[1]

    def read(self, order: Tensor) -> Tensor:
        """All vectors (n, D), mapped; nothing can be written after that.

        Args:
            order: (n,) int64, the number of the one that comes first, and so on; a file of their own is written for
                another order than that of writing.
        """
        if self.count and not torch.equal(order, torch.arange(self.count)):
            mapped, ordered = self.read(torch.arange(self.count)), VectorFile(self.folder)
            for rows in torch.split(order, 4096):
                ordered.write(mapped[rows])
            return ordered.read(torch.arange(self.count))
        with self._written(), self.file:
            self.file.flush()
            if not self.count:
                return torch.empty(0, self.dim)
            return torch.from_numpy(np.memmap(self.file, np.float32, "c")).view(self.count, self.dim)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cache={self.folder}: vectors cannot be kept there: {why(error)}; {ROOM}") from None
