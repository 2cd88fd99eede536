"""Regions near the centre of the map weigh more."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from deepret.models.types import Regions


class Centre(nn.Module):
    """Weighs each region by how near its centre lies to the map's: α = exp(−(dx² + dy²) / (2 σ²)).

    SPoC's prior that what a photograph is of stands in its middle. The centre of a cell is (x + ½, y + ½), that of the
    map (W / 2, H / 2), and σ a share of the distance from there to the closest border, min(H, W) / 2.

    Args:
        share: σ over that distance.

    Shape:
        maps (B, C, H, W), Regions → (N,).

    Paper: Babenko, Lempitsky, "Aggregating deep convolutional features for image retrieval", ICCV 2015.
    """

    needs_maps: ClassVar[bool] = True

    def __init__(self, share: PositiveFloat = 1 / 3) -> None:
        super().__init__()
        self.share = share

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """A weight in 0…1 for each region."""
        height, width = maps.shape[2:]
        x0, y0, x1, y1 = regions.boxes.unbind(1)
        dx, dy = (x0 + x1 - width) / 2, (y0 + y1 - height) / 2
        sigma = self.share * min(height, width) / 2
        return torch.exp(-(dx**2 + dy**2) / (2 * sigma**2))
