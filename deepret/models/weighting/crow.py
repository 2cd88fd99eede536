"""CroW's weights of places and of channels."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.pooling.boxes import all_single
from deepret.models.types import Regions


class CroW(nn.Module):
    """Weighs each cell by how much responds there, each channel by how seldom it does: α_(p, c) = √(S(p) / ‖S‖) I_c.

    S(p) = Σ_c X_c(p), and I_c = log(Σ_c' Q_c' / Q_c) with Q_c the share of cells where X_c > 0; I_c = 0 where Q_c = 0.
    The sum of weighted cells is the descriptor, so regions are cells, and nothing projects their vectors before. A
    negative S, which maps ≥ 0 do not have, counts as 0.

    Shape:
        maps (B, C, H, W), Regions of single cells with vectors (N, C) → (N, C).

    Raises:
        UserError: regions that are no single cells; vectors that were projected to another length.

    Paper: Kalantidis, Mellina, Osindero, "Cross-dimensional weighting for aggregated deep convolutional features",
    ECCV Workshops 2016.
    """

    needs_maps: ClassVar[bool] = True

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """A weight ≥ 0 for each channel of each cell."""
        if not all_single(regions):
            raise UserError("weighting=crow: it weighs single cells, and there are larger regions; take regions=cells.")
        channels = maps.shape[1]
        assert regions.vectors is not None
        if regions.vectors.shape[1] != channels:
            raise UserError(
                f"weighting=crow: it weighs the {channels} channels of the maps, and the cells' vectors have "
                f"{regions.vectors.shape[1]} dimensions; take projection=none projection.normalise=false, and reduce "
                f"the codes by the head."
            )
        x, y = regions.boxes[:, 0], regions.boxes[:, 1]
        places = F.normalize(maps.sum(dim=1).flatten(1).clamp(min=1e-12), dim=1).sqrt().view(-1, *maps.shape[2:])
        share = (maps > 0).float().mean(dim=(2, 3))
        rarity = torch.log(share.sum(dim=1, keepdim=True) / share)
        rarity = torch.where(share > 0, rarity, 0.0)
        return places[regions.image, y, x, None] * rarity[regions.image]
