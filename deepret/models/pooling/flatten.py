"""A few maxima of each box, side by side."""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from deepret.models.pooling.max import Max
from deepret.models.types import Regions


class Flatten(nn.Module):
    """Takes the maximum in each of n × n parts of each box and lays them side by side, as layer 5 of neural codes is.

    f_(c, i, j) = max of X_c over rows ⌊i h / n⌋ … ⌈(i + 1) h / n⌉ and columns ⌊j w / n⌋ … ⌈(j + 1) w / n⌉ of a box of
    h × w cells. A map of n × n cells is flattened as it is; in smaller boxes parts overlap.

    Args:
        channels: C, from the backbone.
        cells: n, the parts on each side.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N, C · n²), in the maps' type.

    Raises:
        ValueError: a box that is empty or leaves its map.

    Paper: Babenko, Slesarev, Chigorin, Lempitsky, "Neural codes for image retrieval", ECCV 2014.
    """

    def __init__(self, channels: int, cells: PositiveInt = 6) -> None:
        super().__init__()
        self.cells = cells
        self.dim = channels * cells**2
        self.max = Max()

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """The maxima (N, C · n²) of the boxes' parts, channel by channel, row by row."""
        n = self.cells
        x0, y0, x1, y1 = regions.boxes[..., None].unbind(1)
        step = torch.arange(n, device=maps.device)  # ⌈(i + 1) w / n⌉ is w − ⌊(n − 1 − i) w / n⌋
        left, right = x0 + step * (x1 - x0) // n, x1 - (n - 1 - step) * (x1 - x0) // n
        top, bottom = y0 + step * (y1 - y0) // n, y1 - (n - 1 - step) * (y1 - y0) // n
        across = torch.stack([left, right], dim=-1)[:, None].expand(-1, n, -1, -1)
        down = torch.stack([top, bottom], dim=-1)[:, :, None].expand(-1, -1, n, -1)
        boxes = torch.stack([across, down], dim=-1).reshape(-1, 4)  # x0, y0, x1, y1
        parts: Tensor = self.max(maps, Regions(boxes, regions.image.repeat_interleave(n * n)))
        return parts.view(-1, n * n, maps.shape[1]).transpose(1, 2).flatten(1)
