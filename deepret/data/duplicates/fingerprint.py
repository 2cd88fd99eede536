"""A photograph's perceptual hash: 255 bits that a new size, compression or brightness hardly change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

SIDE = 32
"""Of the grey picture that is transformed, in pixels."""
LOW = 16
"""Frequencies that are kept each way."""
BITS = LOW * LOW
"""Bits of a packed hash; the last is always 0."""
DECODED = 128
"""Larger side that a photograph is decoded at: long ones have their shorter side of 32 at an aspect of 4."""
FLAT = 4.0
"""Standard deviation in grey levels below which a picture shows too little: its bits would be noise."""
FORMAT = 1
"""Of the hash; another one compares with none of this."""


def fingerprint(image: Image.Image) -> str:
    """The hash of an upright picture in hexadecimal; empty where the picture is flat.

    Grey, 32 × 32 by area, its discrete cosine transform; a bit of each of the 16 × 16 lowest frequencies but the mean
    says whether it is above their median.

    Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section 3.2.1, which
    takes 8 × 8 frequencies.
    """
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    if grey.std() < FLAT:
        return ""
    low = dctn(grey, norm="ortho")[:LOW, :LOW].ravel()[1:]
    return np.packbits(low > np.median(low)).tobytes().hex()


def packed(hashes: list[str]) -> npt.NDArray[np.uint8]:
    """Hashes, none of them empty, as bytes (n, 32)."""
    found: npt.NDArray[Any] = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)
    return found.reshape(-1, BITS // 8)
