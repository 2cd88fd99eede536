"""The same weight for every region."""

from __future__ import annotations

from torch import Tensor, nn

from deepret.models.types import Regions


class Uniform(nn.Module):
    """Weighs every region alike, as R-MAC and DIR do: α_r = 1.

    Shape:
        maps (B, C, H, W), Regions → (N,).
    """

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """A weight of one for each region."""
        return maps.new_ones(len(regions.boxes))
