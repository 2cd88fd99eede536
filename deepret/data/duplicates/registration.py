"""Whether two photographs are one, up to a crop, a size, a brightness or a mark: laid upon each other and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from deepret.data.photo import decode

Array = npt.NDArray[np.float32]
SIDE, BLOCK = 96, 8
"""Of the grey picture that is laid upon another, and of the blocks that are compared, in pixels."""
BLUR = 1.0
"""Standard deviation, in pixels, of the blur that takes away what sampling alone makes different."""
PLAIN = 3.0
"""Blocks of less standard deviation in grey levels in both pictures say nothing."""
SPEAKING = 0.25
"""Share of the blocks that have to say something."""
UNLIKE, APART = 0.8, 16
"""A square of so many pixels a side, around none of which the correlation reaches this, shows two things."""
SHEAR = 0.01
"""A crop or another size turns and shears nothing; another place to stand does."""
SCALE = 0.75
"""The smallest scale, each way, that a copy may have of what is compared."""
RULES = f"{SIDE} {BLOCK} {BLUR} {PLAIN} {SPEAKING} {UNLIKE} {APART} {SHEAR} {SCALE} {cv2.__version__}"
"""What it depends on beside the pictures how alike they are."""


def grey(path: Path) -> Array:
    """A photograph as it is compared (96, 96), whatever its shape.

    Raises:
        Exception: the reader's own, where it cannot be read.
    """
    small = decode(path, max_side=2 * SIDE).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def similarity(first: Array, second: Array) -> float:
    """How alike two pictures (96, 96) are, 0…1: the median over blocks of the correlation within each.

    0 where a square of 16 × 16 pixels correlates nowhere: another thing stands before the same background. 1 where they
    are equal.

    As they are, and laid upon each other by an affine map that may only scale and shift, whichever is better: what is
    cut off, or covered by a mark, is no part of the blocks that count.

    Source: Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization",
    PAMI 2008.
    """
    if np.array_equal(first, second):
        return 1.0
    whole = np.ones_like(first, dtype=bool)
    found = [_alike(first, second, whole)]
    found += [_laid_upon(one, other) for one, other in ((first, second), (second, first))]
    return max(found)


def _laid_upon(still: Array, moved: Array) -> float:
    start, everywhere = np.eye(2, 3, dtype=np.float32), np.ones(still.shape, np.uint8)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)
    try:
        _, warp = cv2.findTransformECC(still, moved, start, cv2.MOTION_AFFINE, stop, everywhere, 5)
    except cv2.error:  # it finds no way
        return 0.0
    scales = np.array([warp[0, 0], warp[1, 1]])
    if max(abs(warp[0, 1]), abs(warp[1, 0])) > SHEAR or scales.min() < SCALE or scales.max() > 1 / SCALE:
        return 0.0
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(np.ones_like(moved), warp, (SIDE, SIDE), flags=flags) > 0.99
    laid = np.asarray(cv2.warpAffine(moved, warp, (SIDE, SIDE), flags=flags), np.float32)
    return _alike(still, laid, seen)


def _alike(first: Array, second: Array, seen: npt.NDArray[np.bool_]) -> float:
    """The median correlation of the blocks that are seen in full and say something; 0 where too few do.

    0 too where the pictures are ``apart``.
    """
    first, second = (np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR), np.float32) for image in (first, second))
    if apart(first, second, seen):
        return 0.0
    a, b = _blocks(first), _blocks(second)
    counts = _blocks(seen).all(axis=1) & (np.maximum(a.std(axis=1), b.std(axis=1)) >= PLAIN)
    if counts.sum() < SPEAKING * len(counts):
        return 0.0
    a, b = (v[counts] - v[counts].mean(axis=1, keepdims=True) for v in (a, b))
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return max(0.0, float(np.median((a * b).sum(axis=1) / np.maximum(norm, 1e-6))))


def apart(first: Array, second: Array, seen: npt.NDArray[np.bool_]) -> bool:
    """Whether the pictures show two things in one place: in a square, none of the blocks around its pixels correlate.

    A line of text is thinner than the square and is no such thing.
    """
    a, b = (np.asarray(image, np.float64) for image in (first, second))
    mean_a, mean_b = _around(a), _around(b)
    var_a, var_b = _around(a * a) - mean_a**2, _around(b * b) - mean_b**2
    alike = (_around(a * b) - mean_a * mean_b) / np.sqrt(np.maximum(var_a * var_b, 1e-6))
    says = (np.maximum(var_a, var_b) >= PLAIN**2) & (_around(seen.astype(np.float64)) > 0.999)
    unlike = (says & (alike < UNLIKE)).astype(np.uint8)
    square = np.ones((APART, APART), np.uint8)
    return bool(cv2.erode(unlike, square, borderType=cv2.BORDER_CONSTANT, borderValue=(0,)).any())


def _around(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of the block around each pixel."""
    return np.asarray(cv2.blur(image, (BLOCK, BLOCK), borderType=cv2.BORDER_REFLECT), np.float64)


def _blocks(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A picture's blocks (144, 64)."""
    n = SIDE // BLOCK
    return image.reshape(n, BLOCK, n, BLOCK).swapaxes(1, 2).reshape(n * n, BLOCK * BLOCK)
