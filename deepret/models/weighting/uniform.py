"""The same weight for every region."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from deepret.models.types import Regions


class Uniform(nn.Module):
    """Weighs every region alike, as R-MAC and DIR do: α_r = 1.

    Shape:
        maps (B, C, H, W) or none, Regions → (N,).
    """

    needs_maps: ClassVar[bool] = False

    def forward(self, maps: Tensor | None, regions: Regions) -> Tensor:
        """A weight of one for each region."""
        return torch.ones(len(regions.boxes), device=regions.boxes.device)
