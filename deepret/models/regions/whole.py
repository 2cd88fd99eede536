"""One region: the whole map."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from deepret.models.regions.grid import on_each
from deepret.models.types import Regions


class Whole(nn.Module):
    """Takes every map as one region, so that maximum pooling gives MAC, GeM pooling GeM, and flattening neural codes.

    Shape:
        maps (B, C, H, W) → Regions of N = B boxes (0, 0, W, H).
    """

    trained: ClassVar[bool] = False

    def forward(self, maps: Tensor) -> Regions:
        """One box on each of the maps."""
        batch, _, height, width = maps.shape
        return on_each(torch.tensor([[0, 0, width, height]], device=maps.device), batch)
