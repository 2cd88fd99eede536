"""Verification: the map of the plane that explains most of two photographs' matches, and how much it explains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat, PositiveInt

from deepret.cleaning.features.base import Features
from deepret.cleaning.verification.tentative import tentative
from deepret.data.photo import Box

Array = npt.NDArray[Any]
GRID = 8
"""Cells of a photograph, each way, in which it is counted where inliers lie."""


class Match(NamedTuple):
    """What two photographs have in common.

    Args:
        tentative: matches before verification.
        inliers: those that one map explains, no two in one place.
        cells: in how many of the 8 × 8 cells of the features' extent inliers lie, the smaller of both photographs'.
        transform: (3, 3) float64, takes pixels of the first photograph to the second's.
        boxes: the rectangles around the inliers, in pixels of each photograph.
    """

    tentative: int
    inliers: int
    cells: int
    transform: npt.NDArray[np.float64]
    boxes: tuple[Box, Box]


class Verification(ABC):
    """Matches two photographs and looks for one map that explains the matches, by MAGSAC.

    Args:
        ratio: of the distances to the nearest and the next nearest feature, below which a match counts; more lets
            unrelated photographs match.
        tolerance: pixels, at the size at which features were found, by which an inlier may be off.
        iterations: samples at most.
        stretch: the most that a map may stretch one direction against another, as a place seen from the side is.
        zoom: the most that it may enlarge or shrink.

    Source: Barath et al., "MAGSAC++, a fast, reliable and accurate robust estimator", CVPR 2020.
    """

    least: ClassVar[int]
    """Matches that a map needs at the least: one more than determine it."""

    def __init__(
        self,
        ratio: Annotated[float, Field(gt=0, le=1)] = 0.75,
        tolerance: PositiveFloat = 10.0,
        iterations: PositiveInt = 2000,
        stretch: Annotated[float, Field(gt=1)] = 6.0,
        zoom: Annotated[float, Field(gt=1)] = 12.0,
    ) -> None:
        self.ratio = ratio
        self.tolerance = tolerance
        self.iterations = iterations
        self.stretch = stretch
        self.zoom = zoom

    @abstractmethod
    def estimate(self, first: Array, second: Array, settings: Any) -> tuple[Array | None, Array | None]:
        """The map (3, 3) that takes points (m, 2) of the first to those of the second, and which it explains (m,)."""

    def __call__(self, first: Features, second: Features) -> Match | None:
        """What two photographs have in common; None where no map explains more matches than determine it."""
        rows = tentative(first, second, self.ratio)
        one, two = first.points[rows[:, 0]], second.points[rows[:, 1]]
        if len(rows) < self.least:
            return None
        transform, inside = self.estimate(one, two, self._settings())
        if transform is None or inside is None:
            return None
        one, two = one[inside], two[inside]
        inliers = min(_places(one), _places(two))
        if inliers < self.least or not sound(transform, one, self.stretch, self.zoom):
            return None
        return Match(
            tentative=len(rows),
            inliers=inliers,
            cells=min(cells(one, first.points), cells(two, second.points)),
            transform=_scaling(1 / second.scale) @ transform @ _scaling(first.scale),
            boxes=(around(one / first.scale), around(two / second.scale)),
        )

    def _settings(self) -> Any:
        """MAGSAC's own: the same matches give the same map, whatever was verified before."""
        found = cv2.UsacParams()
        found.sampler = cv2.SAMPLING_UNIFORM
        found.score = cv2.SCORE_METHOD_MAGSAC
        found.loMethod = cv2.LOCAL_OPTIM_SIGMA
        found.threshold = self.tolerance
        found.confidence = 0.999
        found.maxIterations = self.iterations
        found.randomGeneratorState = 0
        return found


def sound(transform: Array, points: Array, stretch: float, zoom: float) -> bool:
    """Whether a map is one that a camera makes of a place: no mirror, and neither stretch nor zoom beyond bounds.

    By the singular values σ₁ ≥ σ₂ of its Jacobian at the points' mean: det > 0, σ₁ / σ₂ ≤ stretch and
    1 / zoom ≤ √(σ₁ σ₂) ≤ zoom; and by w > 0 at all of the points, so that none lies behind the camera.

    Args:
        transform: (3, 3).
        points: (m, 2), which it explains.
        stretch: more than 1.
        zoom: more than 1.
    """
    if not np.isfinite(transform).all():
        return False
    w = points @ transform[2, :2] + transform[2, 2]
    if w.min() <= 1e-9:
        return False
    x, y = points.mean(axis=0)
    u, v, centre = transform @ (x, y, 1.0)
    jacobian = (transform[:2, :2] - np.outer((u, v), transform[2, :2]) / centre) / centre
    if np.linalg.det(jacobian) <= 0:
        return False
    large, small = np.linalg.svd(jacobian, compute_uv=False)
    return bool(large <= stretch * small and 1 / zoom <= np.sqrt(large * small) <= zoom)


def around(points: Array) -> Box:
    """The smallest box that holds points (m, 2)."""
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


def cells(points: Array, extent: Array) -> int:
    """In how many cells of a grid of 8 × 8 over the extent of other points (n, 2) there are points (m, 2)."""
    low, high = extent.min(axis=0), extent.max(axis=0)
    places = np.floor((points - low) / np.maximum(high - low, 1e-9) * GRID).clip(0, GRID - 1)
    return len(np.unique(places, axis=0))


def _places(points: Array) -> int:
    """How many places points have: a blob of two directions is two features in one."""
    return len(np.unique(np.rint(points), axis=0))


def _scaling(factor: float) -> Array:
    return np.diag([factor, factor, 1.0])
