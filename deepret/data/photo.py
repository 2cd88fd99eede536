"""One photograph: any file that Pillow reads, upright and in RGB."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, UnidentifiedImageError

from deepret.data import members
from deepret.errors import UserError

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright photograph, half-open."""

MAX_PIXELS = 178_956_970
"""Larger files are refused, by Pillow's own limit: decoded, they would take more than half a gigabyte."""
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what makes the image upright; 5 to 8 exchange width and height."""


@dataclass(frozen=True)
class Photo:
    """A photograph, or the part of it in a box.

    Args:
        path: the file, or the member of a tar file.
        box: what counts of it, in pixels of the upright photograph; None for all of it.
    """

    path: Path
    box: Box | None = None


def open_photo(path: Path | str, max_side: int | None = None) -> Image.Image:
    """Decodes a photograph: upright by its EXIF orientation, RGB; transparency lies over white.

    Args:
        path: the file.
        max_side: larger side that is wanted in the end; a large JPEG is decoded at the smallest scale (1, ½, ¼, ⅛)
            that is still at least that large, which is several times faster.

    Raises:
        UserError: the file is missing, broken, no image, or too large to decode.
    """
    with _explained(path):
        return decode(path, max_side)


def upright_size(path: Path | str) -> tuple[int, int]:
    """Width and height of the upright photograph in pixels, from its header alone.

    Raises:
        UserError: the file is missing, or no image.
    """
    with _explained(path):
        return header_size(path)


def decode(path: Path | str, max_side: int | None = None) -> Image.Image:
    """``open_photo``, with the reader's own exceptions."""
    with _QUIET, _opened(path) as image:
        if max_side is not None and image.format in ("JPEG", "MPO"):
            # Pillow would hold both sides to what is asked: rounding of the shorter one must not forbid a scale.
            image.draft(None, (max_side, 1) if image.width >= image.height else (1, max_side))
        turn = _turn(image)
        image.load()
        upright = _rgb(image)
        return upright if turn is None else upright.transpose(turn)


def header_size(path: Path | str) -> tuple[int, int]:
    """``upright_size``, with the reader's own exceptions."""
    with _QUIET, _opened(path) as image:
        if image.format == "TIFF":  # whether its size is upright already depends on Pillow's version
            width, height = image.tag_v2[256], image.tag_v2[257]
            turn = _TURNS.get(image.tag_v2.get(_ORIENTATION, 1))
        else:
            width, height = image.size
            turn = _turn(image)
        return (height, width) if turn in [_TURNS[i] for i in (5, 6, 7, 8)] else (width, height)


def reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        return "it is no image that Pillow knows"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {MAX_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@contextmanager
def _explained(path: Path | str) -> Iterator[None]:
    """Whatever goes wrong with a file becomes one message."""
    try:
        yield
    except Exception as error:  # Pillow's readers raise nearly anything on broken files
        if isinstance(error, UserError):
            raise
        why = "the file is empty" if members.exists(path) and not members.stat(path).size else reason(error)
        raise UserError(f"{path}: cannot be read as an image ({why}); replace it or take it out.") from None


def _opened(path: Path | str) -> Any:
    image = Image.open(members.source(path))
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise Image.DecompressionBombError
    return image


class _Quiet:
    """Silences warnings while any thread is inside; ``warnings.catch_warnings`` leaves them off where two overlap."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.caught = warnings.catch_warnings()
                self.caught.__enter__()
                warnings.simplefilter("ignore")
            self.inside += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.caught.__exit__(None, None, None)


_QUIET = _Quiet()
if hasattr(os, "register_at_fork"):  # a worker must not inherit a lock that a thread was holding
    os.register_at_fork(after_in_child=_QUIET.begin)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # or errors go to stderr where nobody has set up logging


def _turn(image: Any) -> Image.Transpose | None:
    """What makes an image upright, by the EXIF before its pixels; None where it is, or where the EXIF is damaged."""
    if image.format == "TIFF":  # Pillow turns these itself while it loads them
        return None
    try:
        # Of the base class: that of PNG would decode the whole file to look for EXIF behind the pixels.
        return _TURNS.get(Image.Image.getexif(image).get(_ORIENTATION, 1))
    except Exception:
        return None


def _rgb(image: Any) -> Image.Image:
    """Any of Pillow's modes as RGB."""
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        white = Image.new("RGBA", colour.size, "white")
        image = Image.alpha_composite(white, colour)
    found: Image.Image = image.convert("RGB")
    return found


def _eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Grey values of 16 or 32 bits, whole or not, as 0…255.

    The scale is the first that holds them all, so that pictures of one kind keep one scale: 0…1 for fractions, 0…255
    (eight bits in a wider file), 0…65535, and else their own range.
    """
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    scales = [1.0, 255.0, 65535.0] if values.dtype.kind == "f" else [255.0, 65535.0]
    fitting = [scale for scale in scales if low >= 0 and high <= scale]
    if fitting:
        low, high = 0.0, fitting[0]
    eight: npt.NDArray[np.uint8] = np.floor((numbers - low) * (255.0 / max(high - low, 1e-12)) + 0.5).astype(np.uint8)
    return eight
