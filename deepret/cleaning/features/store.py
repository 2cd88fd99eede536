"""Local features, found once: kept on disk by what the file is and how they are looked for."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import PIL

from deepret.cleaning.features.base import Extractor, Features
from deepret.data.check import stamp
from deepret.data.photo import reason
from deepret.errors import UserError
from deepret.files import write_whole

FORMAT = 2
"""Of the files; of another they are made again."""
REMEMBERED = 512
"""Photographs whose features stay in memory: some 200 kB each."""


class FeatureStore:
    """Gives photographs' features, from disk where they are there.

    Args:
        root: the folder that paths are relative to.
        extractor: finds them.
        cache: the folder that they are kept in.
    """

    def __init__(self, root: Path, extractor: Extractor, cache: Path) -> None:
        self.root = root.absolute()
        self.extractor = extractor
        settings = sorted((key, value) for key, value in vars(extractor).items() if not key.startswith("_"))
        kind = f"{type(extractor).__module__}.{type(extractor).__qualname__}"
        rules = f"{FORMAT} {cv2.__version__} {PIL.__version__} {kind} {settings}"
        self.folder = cache / "features" / sha256(rules.encode()).hexdigest()[:16]
        self.remembered = lru_cache(maxsize=REMEMBERED)(self._found)

    def features(self, path: str) -> Features:
        """The features of a photograph; none where it cannot be read, as ``look`` says.

        Raises:
            UserError: they cannot be kept, or a disk or the memory fails.
        """
        return self.remembered(path)[0]

    def look(self, path: str) -> tuple[int, str]:
        """Finds a photograph's features and keeps them; gives how many there are, and what is wrong with the file.

        Raises:
            UserError: they cannot be kept, or a disk or the memory fails.
        """
        found, wrong = self._found(path)
        return len(found), wrong

    def _found(self, path: str) -> tuple[Features, str]:
        kept = self._kept(path)
        found = read(kept)
        if found is not None:
            return found, ""
        try:
            found = self.extractor(self.root / path)
        except Exception as error:  # Pillow's readers raise nearly anything on broken files
            if passing(error):
                raise UserError(f"{self.root / path}: cannot be read now ({reason(error)}); try again.") from None
            nothing = Features(np.zeros((0, 2), np.float32), np.zeros((0, 1), np.uint8), 1.0)
            return nothing, reason(error)
        write(kept, found)
        return found, ""

    def _kept(self, path: str) -> Path:
        """The file of a photograph's features, another one once the photograph has changed."""
        file = self.root / path
        name = sha256(os.fsencode(file) + repr(stamp(file)).encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}.npz"


def passing(error: Exception) -> bool:
    """Whether a disk or a memory has failed, which may work next time; it says nothing about the file."""
    disk = isinstance(error, OSError) and error.errno is not None
    return isinstance(error, MemoryError) or (disk and not isinstance(error, FileNotFoundError | PermissionError))


def read(path: Path) -> Features | None:
    """The features in a file; None where there is none that is whole."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            points, descriptors, scale = file["points"], file["descriptors"], float(file["scale"])
    except Exception:  # zipfile and NumPy raise nearly anything on a damaged file
        return None
    whole = points.ndim == descriptors.ndim == 2 and len(points) == len(descriptors)
    return Features(points, descriptors, scale) if whole else None


def write(path: Path, found: Features) -> None:
    """Keeps features, whole or not at all.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    memory = io.BytesIO()
    np.savez(memory, points=found.points, descriptors=found.descriptors, scale=found.scale)
    write_whole(path, memory.getbuffer(), "make room there, or choose another folder: cache=DIR.")
