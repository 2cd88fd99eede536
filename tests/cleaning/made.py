"""Made-up features: of one thing seen by two cameras, and of nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deepret.cleaning.features.base import Features

Array = npt.NDArray[np.float64]


def features(points: npt.ArrayLike, descriptors: npt.NDArray[np.uint8], scale: float = 1.0) -> Features:
    return Features(np.asarray(points, np.float32), descriptors, scale)


def descriptors(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Descriptors (count, 128) that are all far from each other."""
    return np.random.default_rng(seed).integers(0, 256, (count, 128)).astype(np.uint8)


def moved(transform: Array, points: Array) -> Array:
    """Points (n, 2) after a map (3, 3)."""
    there = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ transform.T
    return there[:, :2] / there[:, 2:]


def seen_twice(
    transform: Array,
    count: int = 100,
    outliers: int = 40,
    scales: tuple[float, float] = (1.0, 1.0),
    noise: float = 0.5,
    seed: int = 0,
) -> tuple[Features, Features]:
    """Two photographs' features, of which ``count`` are moved by a map of photographs' pixels, the others anywhere."""
    random = np.random.default_rng(seed)
    points = random.uniform(50, 450, (count + outliers, 2))
    there = moved(transform, points) + random.normal(0, noise, points.shape)
    there[count:] = random.uniform(there.min(), there.max(), (outliers, 2))
    same = descriptors(count + outliers, seed)
    order = random.permutation(count + outliers)
    first = features(points * scales[0], same, scales[0])
    return first, features(there[order] * scales[1], same[order], scales[1])
