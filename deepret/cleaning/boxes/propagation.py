"""Boxes from verified pairs: where the inliers are, then what the boxes of the others say."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveInt

from deepret.cleaning.boxes.median import geometric_medians, means

Array = npt.NDArray[np.float64]


class Settled(NamedTuple):
    """Boxes (n, 4) before and after the updates, NaN where no pair gives any, and how many rounds there were."""

    first: Array
    last: Array
    rounds: int


class Propagation:
    """Finds where the object is that a class's photographs share.

    An image's first box is the geometric median of the rectangles around the inliers of its verified pairs. Then, in
    rounds, over all verified pairs and both ways, with A_ij the map from i to j,

        B_j ← median over i of (1 − α) B_j + α A_ij B_i,

    until sides move by less than ``still`` of the larger sides on the mean, or after ``rounds``. A_ij B_i is the
    box around the corners of B_i as the map takes them, cut off at the image's border. It is larger than what it
    surrounds where the map turns or shears, so boxes go on growing slowly when all agree: there is an end to rounds. A
    map that leaves less than ``least`` of the box within the image, or makes nonsense of it, has no say in the round.

    Args:
        alpha: α, 0…1.
        rounds: at most.
        still: share of an image's larger side; 0 for all rounds.
        least: share of the box's area.
        weighted: whether a pair counts by its inliers in the medians; otherwise all alike, as published.

    Source: Gordo et al., "End-to-end learning of deep visual representations for image retrieval", IJCV 2017, §4.
    """

    def __init__(
        self,
        alpha: Annotated[float, Field(gt=0, le=1)] = 0.1,
        rounds: PositiveInt = 40,
        still: Annotated[float, Field(ge=0, lt=1)] = 1e-3,
        least: Annotated[float, Field(ge=0, lt=1)] = 0.25,
        weighted: bool = True,
    ) -> None:
        self.alpha = alpha
        self.rounds = rounds
        self.still = still
        self.least = least
        self.weighted = weighted

    def boxes(
        self,
        sizes: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        transforms: Array,
        rectangles: Array,
        inliers: npt.NDArray[np.int64],
    ) -> Settled:
        """The boxes of a class's images.

        Args:
            sizes: (n, 2) widths and heights in pixels.
            rows: (m, 2) verified pairs, rows of ``sizes``.
            transforms: (m, 3, 3), from the first of a pair to the second.
            rectangles: (m, 2, 4) around the inliers in both.
            inliers: (m,).
        """
        n = len(sizes)
        weights = inliers.astype(np.float64) if self.weighted else np.ones(len(rows))
        target, source = np.concatenate([rows[:, 1], rows[:, 0]]), np.concatenate([rows[:, 0], rows[:, 1]])
        maps = np.concatenate([transforms, inverses(transforms)])
        seen = np.concatenate([rectangles[:, 1], rectangles[:, 0]])
        weights = np.concatenate([weights, weights])
        first = geometric_medians(seen, target, means(seen, target, n, weights), weights)
        boxes, sides, done = first.copy(), sizes.max(axis=1), 0
        for _ in range(self.rounds):
            moved, usable = moved_boxes(boxes[source], maps, sizes[target], self.least)
            to = target[usable]
            said = (1 - self.alpha) * boxes[to] + self.alpha * moved[usable]
            new = geometric_medians(said, to, boxes, weights[usable], steps=30, tolerance=1e-4)
            step = np.abs(new - boxes).max(axis=1) / sides
            boxes, done = new, done + 1
            if not (step[np.isfinite(step)].sum() > self.still * np.isfinite(step).sum()):
                break
        return Settled(first, boxes, done)


def moved_boxes(
    boxes: Array, maps: Array, sizes: npt.NDArray[np.int64], least: float
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The boxes around boxes' corners after maps, cut off at images' borders, and which of them mean anything.

    Args:
        boxes: (m, 4), NaN for none.
        maps: (m, 3, 3).
        sizes: (m, 2) of the images that they lead into.
        least: share of a box's area that has to be within the image.
    """
    x0, y0, x1, y1 = boxes.T
    corners = np.stack([np.stack([x, y, np.ones_like(x)], axis=1) for x in (x0, x1) for y in (y0, y1)], axis=1)
    with np.errstate(all="ignore"):  # what comes of NaN and of zero is not usable
        there = corners @ maps.transpose(0, 2, 1)
        points = there[..., :2] / there[..., 2:]
        low, high = points.min(axis=1), points.max(axis=1)
        within = np.stack([np.maximum(low, 0), np.minimum(high, sizes)])
        area = np.prod(np.maximum(within[1] - within[0], 0), axis=1)
        usable = (there[..., 2] > 0).all(axis=1) & np.isfinite(points).all(axis=(1, 2))
        usable &= (area > 0) & (area >= least * np.prod(high - low, axis=1))
    return np.concatenate([within[0], within[1]], axis=1), usable


def inverses(maps: Array) -> Array:
    """The inverse maps (m, 3, 3); NaN where there is none."""
    sound = np.abs(np.linalg.det(maps)) > 1e-12
    found = np.full_like(maps, np.nan)
    found[sound] = np.linalg.inv(maps[sound])
    return found
