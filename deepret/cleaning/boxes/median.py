"""The geometric median: the point from which others are least far away in sum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SAME = 1e-12
"""Points closer than this share of their group's extent lie in one place."""


def geometric_medians(
    points: Array,
    groups: npt.NDArray[np.int64],
    start: Array,
    weights: Array | None = None,
    steps: int = 300,
    tolerance: float = 1e-9,
) -> Array:
    """For each group of points argmin_y Σ w_i ‖x_i − y‖, by Weiszfeld's iteration, which leaves points it falls upon.

    A box among others that are far off does not draw the median to it, as it would the mean.

    Args:
        points: (m, d); of boxes d = 4.
        groups: (m,) of each point, 0 … n − 1.
        start: (n, d) where the iteration begins; a group without points stays there.
        weights: (m,) > 0; None weighs all alike.
        steps: of the iteration at most; 300 come within 0.1 % of the least sum, even where it is nearly flat.
        tolerance: all steps shorter than this share of their group's extent end it.

    Source: Vardi and Zhang, "The multivariate L1-median and associated data depth", PNAS 2000.
    """
    n = len(start)
    w = np.ones(len(points)) if weights is None else weights
    y = start.astype(np.float64, copy=True)
    low, high = np.full(y.shape, np.inf), np.full(y.shape, -np.inf)
    np.minimum.at(low, groups, points)
    np.maximum.at(high, groups, points)
    extent = np.maximum(np.where(high >= low, high - low, 0).max(axis=1, initial=0), 1e-9)
    for _ in range(steps):
        away = np.linalg.norm(points - y[groups], axis=1)
        here = away <= SAME * extent[groups]
        pull = np.where(here, 0.0, w / np.where(here, 1.0, away))
        total = np.bincount(groups, pull, n)
        drawn = np.stack([np.bincount(groups, pull * column, n) for column in points.T], axis=1)
        force = drawn - total[:, None] * y  # the sum of unit vectors to the points, weighted
        strength = np.linalg.norm(force, axis=1)
        held = np.bincount(groups, np.where(here, w, 0.0), n)
        move = np.maximum(1 - held / np.maximum(strength, 1e-300), 0) / np.maximum(total, 1e-300)
        step = np.where(total[:, None] > 0, move[:, None] * force, 0.0)
        y += step
        if (np.abs(step).max(axis=1, initial=0) <= tolerance * extent).all():
            break
    return y


def means(points: Array, groups: npt.NDArray[np.int64], count: int, weights: Array) -> Array:
    """The weighted mean of each group of points, NaN for a group without any."""
    total = np.bincount(groups, weights, count)
    with np.errstate(invalid="ignore"):
        return np.stack([np.bincount(groups, weights * column, count) / total for column in points.T], axis=1)
