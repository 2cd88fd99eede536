"""SIFT, as OpenCV has it: at key points, or over patches that are given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BINS = 128
"""Of a histogram: 4 × 4 cells of 8 directions."""
SPAN = 6.0
"""The side of the patch that a histogram covers, in sizes of its key point: OpenCV's cells are 3 half sizes wide."""


def strongest(image: npt.NDArray[np.uint8], count: int, contrast: float) -> tuple[list[cv2.KeyPoint], Array]:
    """The key points of a grey image (h, w), the strongest first, and their histograms (n, 128) float32; n may be 0.

    Args:
        image: grey.
        count: key points at most.
        contrast: of the faintest blob, 0…1.
    """
    sift = cv2.SIFT.create(nfeatures=count, contrastThreshold=contrast)
    points, histograms = sift.detectAndCompute(image, None)
    if histograms is None:
        return [], np.zeros((0, BINS), np.float32)
    order = sorted(range(len(points)), key=lambda i: (-points[i].response, points[i].pt, points[i].angle))
    order = order[:count]  # of equally strong ones OpenCV keeps more
    return [points[i] for i in order], histograms[order]


def around(points: Sequence[cv2.KeyPoint]) -> Array:
    """The upright boxes (n, 4) int64 of the patches of key points, x0, y0, x1, y1 in pixels, half-open."""
    middle = np.array([point.pt for point in points], np.float64).reshape(-1, 2) + 0.5  # a pixel's own middle is at ½
    half = np.array([point.size for point in points], np.float64)[:, None] * SPAN / 2
    return np.concatenate([np.floor(middle - half), np.ceil(middle + half)], axis=1).astype(np.int64)


def patches(height: int, width: int, step: int, sizes: Sequence[int]) -> Array:
    """Square boxes (n, 4) int64 over an image, x0, y0, x1, y1 in pixels: all of one size, line by line, then the next.

    Along a side of n pixels there are ⌊(n − s) / step⌋ + 1 patches of size s, as far from one end as from the other.
    Where a side is shorter than a patch there is one, over its middle, which sticks out.

    Args:
        height: of the image.
        width: of the image.
        step: pixels from one patch to the next.
        sizes: of the patches, in pixels.
    """
    found = []
    for size in sizes:
        y, x = np.meshgrid(_starts(height, size, step), _starts(width, size, step), indexing="ij")
        found.append(np.stack([x, y, x + size, y + size], axis=-1).reshape(-1, 4))
    return np.concatenate(found).astype(np.int64)


def described(image: npt.NDArray[np.uint8], boxes: Array) -> Array:
    """Histograms (n, 128) float32 of upright square patches (n, 4) of a grey image, smoothed by their size.

    A patch without a gradient has an empty one.
    """
    octaves = int(math.log2(min(image.shape)))  # of which each halves the image
    _, histograms = cv2.SIFT.create().compute(image, [_point(box, octaves) for box in boxes.tolist()])
    return np.asarray(histograms, np.float32).reshape(len(boxes), BINS)


def hellinger(histograms: Array) -> Array:
    """√(d / Σ d) of histograms d (n, 128), of length one: products of them are the Hellinger kernel.

    Source: Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.
    """
    found: Array = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1e-9))
    return found


def _starts(side: int, size: int, step: int) -> Array:
    count = max(side - size, 0) // step + 1
    return (side - size - (count - 1) * step) // 2 + step * np.arange(count)


def _point(box: list[int], octaves: int) -> cv2.KeyPoint:
    """The upright key point whose patch a box is, in the layer of the pyramid where OpenCV would have found it."""
    x0, y0, x1, y1 = box
    size = (x1 - x0) / SPAN
    layers = max(0, round(3 * math.log2(size / 2 / 1.6)))  # 3 an octave; the first is smoothed by 1.6 pixels
    place = min(layers // 3, octaves) + 256 * (layers % 3)  # as OpenCV packs octave and layer
    return cv2.KeyPoint((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2, size, 0.0, 0.0, place)
