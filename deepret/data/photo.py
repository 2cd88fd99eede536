"""One photograph: any file that Pillow reads, upright and in RGB."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageOps

from deepret.errors import UserError

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright photograph, half-open."""

MAX_PIXELS = 400_000_000
"""Larger files are refused: decoded, they would take more than a gigabyte."""
_TURNED = {5, 6, 7, 8}


@dataclass(frozen=True)
class Photo:
    """A photograph, or the part of it in a box.

    Args:
        path: the file.
        box: what counts of it, in pixels of the upright photograph; None for all of it.
    """

    path: Path
    box: Box | None = None


def open_photo(path: Path | str, max_side: int | None = None) -> Image.Image:
    """Decodes a photograph: upright by its EXIF orientation, RGB; transparency lies over white.

    Args:
        path: the file.
        max_side: larger side that is wanted in the end; a large JPEG is decoded at the smallest scale (1, ½, ¼, ⅛) that is
            still at least that large, which is several times faster.

    Raises:
        UserError: the file is missing, broken, no image, or too large to decode.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _opened(path) as image:
                if max_side is not None and image.format == "JPEG":
                    share = max_side / max(image.size)
                    image.draft("RGB", tuple(int(np.ceil(n * share)) for n in image.size))
                upright = ImageOps.exif_transpose(image)
                return _rgb(upright)
    except UserError:
        raise
    except Exception as error:  # Pillow's readers raise nearly anything on broken files
        raise UserError(f"{path}: cannot be read as an image ({reason(error)}); replace it or take it out.") from None


def upright_size(path: Path | str) -> tuple[int, int]:
    """Width and height of the upright photograph in pixels, from its header alone.

    Raises:
        UserError: the file is missing, or no image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _opened(path) as image:
                width, height = image.size
                return (height, width) if image.getexif().get(0x0112) in _TURNED else (width, height)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: cannot be read as an image ({reason(error)}); replace it or take it out.") from None


def reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is no image"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _opened(path: Path | str) -> Image.Image:
    image = Image.open(path)
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise UserError(f"{path}: {image.width} × {image.height} pixels are more than {MAX_PIXELS:,}; make it smaller.")
    return image


def _rgb(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes as RGB."""
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        colour = image.convert("RGBA")
        white = Image.new("RGBA", colour.size, "white")
        return Image.alpha_composite(white, colour).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of 16 or 32 bits, whole or not, as 0…255: by the range of 16 bits, or by their own where they exceed it."""
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255 and values.dtype.kind == "f":
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    return cast(np.ndarray, np.clip((numbers - low) * (255.0 / max(high - low, 1e-12)) + 0.5, 0, 255).astype(np.uint8))
