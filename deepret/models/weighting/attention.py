"""Weights that a small network learns to give regions, from what they and their images hold."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from deepret.models.pooling.mean import Mean
from deepret.models.types import Regions


class Attention(nn.Module):
    """Weighs each region by what is in it and by what is around it: α_r = σ(v · σ(W [m_r ; m] + b) + c).

    m_r is the mean of the maps over the region, m that over the whole map, which is the region's context, and
    σ(x) = log(1 + eˣ) is Softplus: weights are positive, and need not sum to anything. Regions are looked at as the
    maps have them, whatever pools and projects their vectors. v starts at zero and c at log(e − 1), so that untrained
    weights are all 1, and adding them to a network changes none of its codes; W and b start at random.

    Args:
        map_channels: C of the maps, from the backbone.
        hidden: rows of W.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N,), in float32, or float64 where the parameters are.

    Raises:
        ValueError: a box that is empty or leaves its map.

    Paper: Kim, Yoon, "Regional attention based deep feature for image retrieval", BMVC 2018.
    """

    needs_maps: ClassVar[bool] = True
    rate: ClassVar[float] = 10.0
    """Of its learning rate, as a multiple of the network's: it starts from nothing."""

    def __init__(self, map_channels: int, hidden: PositiveInt = 64) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * map_channels, hidden)
        self.weight = nn.Linear(hidden, 1)
        nn.init.zeros_(self.weight.weight)
        nn.init.constant_(self.weight.bias, math.log(math.e - 1))
        self.mean = Mean()

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """A weight > 0 for each region."""
        with torch.autocast(maps.device.type, enabled=False):
            means = self.mean(maps, regions)
            around = maps.to(means.dtype).mean(dim=(2, 3))
            seen = torch.cat([means, around[regions.image]], dim=1).to(self.hidden.weight.dtype)
            weights: Tensor = F.softplus(self.weight(F.softplus(self.hidden(seen))))
        return weights[:, 0]
