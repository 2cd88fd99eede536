"""No projection."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn


class NoProjection(nn.Module):
    """Leaves the region vectors in their own space: y = x / ‖x‖, or y = x.

    Args:
        normalise: whether each vector is scaled to length one, as R-MAC's regions are.
        channels: C, from the backbone.

    Shape:
        (N, C) → (N, C).
    """

    needs_fit: ClassVar[bool] = False

    def __init__(self, channels: int, normalise: bool = True) -> None:
        super().__init__()
        self.dim = channels
        self.normalise = normalise

    def forward(self, vectors: Tensor) -> Tensor:
        """The vectors, each of length one unless told otherwise."""
        return F.normalize(vectors, dim=1) if self.normalise else vectors
