"""The weighted sum of an image's region vectors."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from deepret.models.types import Codes, Regions


class Sum(nn.Module):
    """Adds up the vectors of each image's regions: f_b = Σ_{r on b} α_r y_r.

    Shape:
        Regions with vectors (N, D), weights (N,) or (N, D), B images → Codes (B, D).
    """

    one_code: ClassVar[bool] = True

    def forward(self, regions: Regions, weights: Tensor, batch: int) -> Codes:
        """One code an image; zero for an image without regions."""
        assert regions.vectors is not None
        sums = regions.vectors.new_zeros(batch, regions.vectors.shape[1])
        weights = weights[:, None] if weights.ndim == 1 else weights
        sums = sums.index_add(0, regions.image, regions.vectors * weights)
        return Codes(sums, torch.arange(batch, device=sums.device))
