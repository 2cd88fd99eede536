"""Sets of codes of one length, an image's objects, as padded tables (n, K, D): absent objects are rows of zeros."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad


def padded_sets(vectors: Tensor, image: Tensor, count: int) -> Tensor:
    """Codes (M, D) of ``count`` images → (count, K, D), K of the image with most; the order in an image is kept.

    Args:
        vectors: M codes.
        image: (M,) int64, the image of each, ascending.
        count: images, of which some may have none.
    """
    counts = torch.bincount(image, minlength=count)
    starts = counts.cumsum(0) - counts
    most = int(counts.max()) if count else 0
    sets = vectors.new_zeros(count, most, vectors.shape[1])
    sets[image, torch.arange(len(image), device=image.device) - starts[image]] = vectors
    return sets


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Tables (n, D), or (n, K, D) of any K, one after the other: K becomes the largest."""
    most = max((part.shape[1] for part in parts if part.ndim == 3), default=0)
    return torch.cat([pad(part, (0, 0, 0, most - part.shape[1])) if part.ndim == 3 else part for part in parts])


def as_sets(codes: Tensor) -> Tensor:
    """Sets (n, K, D); of codes (n, D), sets of one."""
    return codes[:, None] if codes.ndim == 2 else codes


def present(sets: Tensor) -> Tensor:
    """Which objects (n, K) of sets (n, K, D) are there: those whose codes are not zero."""
    return (sets != 0).any(dim=2)
