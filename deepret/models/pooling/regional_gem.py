"""GeM over maps that are pooled around each cell first."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.models.pooling.gem import LEAST, GeM
from deepret.models.types import Regions

POWER = 2.5
SIDE = 5


class RegionalGeM(GeM):
    """Takes the generalised mean of maps that are half themselves and half a generalised mean around each cell.

    X'_c(q) = ½ ((1 / 25) Σ_{r ∈ 5 × 5 around q} max(X_c(r), 1e-6)^2.5)^(1/2.5) + ½ X_c(q), and of X' what GeM takes.
    Borders are reflected, and repeated on maps of fewer than three cells a side.

    Args:
        channels, p, learned, per_channel: as for ``GeM``, of the second mean.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N, C), in float32, or float64 where the maps are.

    Raises:
        ValueError: a box that is empty or leaves its map.

    Paper: Shao, Chen, Karpur, Cui, Araujo, Cao, "Global features are all you need for image retrieval and reranking",
    ICCV 2023.
    """

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """The generalised means (N, C) of the boxes."""
        return super().forward(regional(maps.double()), regions).to(torch.promote_types(maps.dtype, torch.float32))


def regional(maps: Tensor) -> Tensor:
    """Maps of which each cell is half the generalised mean of the 5 × 5 cells around it."""
    border = [SIDE // 2] * 4
    mode = "reflect" if min(maps.shape[2:]) > SIDE // 2 else "replicate"
    powers = F.pad(maps.clamp(min=LEAST), border, mode=mode).pow(POWER)
    return (F.avg_pool2d(powers, SIDE, stride=1).pow(1 / POWER) + maps) / 2
