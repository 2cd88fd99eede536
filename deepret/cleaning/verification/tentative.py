"""Features of two photographs that may be the same: mutual nearest neighbours that pass the ratio test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.cleaning.features.base import Features


def tentative(first: Features, second: Features, ratio: float) -> npt.NDArray[np.int64]:
    """The matches (m, 2), rows of both, ascending in the first.

    j is the match of i where each is the other's nearest and the next nearest of i is farther:

        d(i, j) < ratio · d(i, j′)   for all j′ ≠ j.

    Distances are those of descriptors of length one, d² = 2 − 2 cos.

    Args:
        first: n features.
        second: m features.
        ratio: 0…1; less keeps fewer and surer ones.

    Source: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004.
    """
    if not len(first) or len(second) < 2:
        return np.zeros((0, 2), np.int64)
    cosines = (unit(first) @ unit(second).T).numpy()  # NumPy's argmax takes a third of torch's time
    every = np.arange(len(first))
    nearest = cosines.argmax(axis=1)
    best = cosines[every, nearest]
    cosines[every, nearest] = -2
    next_best = cosines.max(axis=1)
    cosines[every, nearest] = best
    rows = np.flatnonzero(np.maximum(2 - 2 * best, 0) < ratio**2 * np.maximum(2 - 2 * next_best, 0))
    rows = rows[cosines[:, nearest[rows]].argmax(axis=0) == rows]
    return np.stack([rows, nearest[rows]], axis=1).astype(np.int64)


def unit(features: Features) -> Tensor:
    """The descriptors (n, D) float32, of length one; all zeros stay zeros."""
    return F.normalize(torch.from_numpy(features.descriptors).float(), dim=1)
