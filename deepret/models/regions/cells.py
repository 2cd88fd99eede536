"""Every cell of the map as a region."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from deepret.models.regions.grid import on_each
from deepret.models.types import Regions


class Cells(nn.Module):
    """Takes every cell of a map as a region of its own, row by row: the local features that SPoC and CroW add up.

    Shape:
        maps (B, C, H, W) → Regions of N = B · H · W boxes (x, y, x + 1, y + 1), image by image.
    """

    trained: ClassVar[bool] = False

    def forward(self, maps: Tensor) -> Regions:
        """A box for each cell of each of the maps."""
        batch, _, height, width = maps.shape
        rows, columns = (torch.arange(side, device=maps.device) for side in (height, width))
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        return on_each(torch.stack([x, y, x + 1, y + 1], dim=-1).view(-1, 4), batch)
