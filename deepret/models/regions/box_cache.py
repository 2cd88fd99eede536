"""Boxes that are kept on disk by the content of the pixels that they were found in."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import cv2
import numpy as np

from deepret.errors import UserError
from deepret.files import write_whole


class BoxCache:
    """A folder with a small file for each image; any may be deleted at any time.

    One that is damaged reads as absent; one that cannot be written is warned of once: it saves time, and stops no work.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warned = False

    def key(self, pixels: np.ndarray, how: str) -> str:
        """SHA-256 of pixels (h, w, 3), of how boxes are found in them, and of the library that finds them."""
        said = f"{how}, {pixels.shape}, OpenCV {cv2.__version__}"
        return hashlib.sha256(said.encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()

    def read(self, key: str) -> np.ndarray | None:
        """Boxes (k, 4) float32; None where they are absent or damaged."""
        try:
            found: np.ndarray = np.load(self._path(key), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found if found.dtype == np.float32 and found.ndim == 2 and found.shape[1] == 4 else None

    def write(self, key: str, boxes: np.ndarray) -> None:
        """Keeps boxes (k, 4) float32, whole or not at all."""
        data = io.BytesIO()
        np.save(data, boxes)
        try:
            write_whole(self._path(key), data.getvalue())
        except UserError as error:
            if not self._warned:
                warnings.warn(f"boxes are not kept: {error} The work goes on.", stacklevel=2)
            self._warned = True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.npy"
