"""What colours a patch has, and where in it."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CELLS = 4
"""Along each side of a patch."""
NUMBERS = 2 * 3 * CELLS**2
"""Of a patch."""


def colour_statistics(image: npt.NDArray[np.uint8], boxes: Array) -> Array:
    """Means, then standard deviations, of red, green and blue in the 4 × 4 cells of boxes on an image.

    Cell i of a side of n pixels reaches from ⌊i n / 4⌋ to ⌈(i + 1) n / 4⌉, so that it has one pixel at least. Values
    are in 0…1 and divided by √48: a row is then no longer than one, which a white patch's is, as a RootSIFT is.

    Args:
        image: (h, w, 3) uint8.
        boxes: (n, 4) int64, x0, y0, x1, y1 in pixels, inside the image.

    Returns:
        (n, 96) float32: 48 means, line by line of cells, the three colours of each beside each other; 48 deviations.

    Paper: Clinchant, Csurka, Perronnin, Renders, "XRCE's participation to ImagEval", ImageEval workshop at CIVR 2007.
    """
    sums, squares = cv2.integral2(image, sdepth=cv2.CV_64F, sqdepth=cv2.CV_64F)
    left, right = _edges(boxes[:, 0], boxes[:, 2])
    top, bottom = _edges(boxes[:, 1], boxes[:, 3])
    area = ((bottom - top)[:, :, None] * (right - left)[:, None, :])[..., None]

    def mean(table: Array) -> Array:
        inside = _corner(table, bottom, right) - _corner(table, top, right)
        inside -= _corner(table, bottom, left) - _corner(table, top, left)
        found: Array = inside / area
        return found

    means = mean(sums)
    deviations = np.sqrt(np.maximum(mean(squares) - means**2, 0))
    rows = np.stack([means, deviations], axis=1).reshape(len(boxes), NUMBERS)
    scaled: Array = (rows / (255 * math.sqrt(3 * CELLS**2))).astype(np.float32)
    return scaled


def _edges(low: Array, high: Array) -> tuple[Array, Array]:
    """First and last borders (n, 4) of the cells along one side of boxes."""
    number, side = np.arange(CELLS), (high - low)[:, None]
    return low[:, None] + number * side // CELLS, low[:, None] - (-(number + 1) * side // CELLS)


def _corner(table: Array, rows: Array, columns: Array) -> Array:
    """A summed-area table's entries (n, 4, 4, 3) where lines (n, 4) and columns (n, 4) cross."""
    found: Array = table[rows[:, :, None], columns[:, None, :]]
    return found
