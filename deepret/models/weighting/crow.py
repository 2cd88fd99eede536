"""CroW's weights of places and of channels."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.aggregation.sum import Sum
from deepret.models.projection.none import NoProjection
from deepret.models.regions.cells import Cells
from deepret.models.types import Regions


class CroW(nn.Module):
    """Weighs each cell by how much responds there, each channel by how seldom it does: α_(p, c) = √(S(p) / ‖S‖) I_c.

    S(p) = Σ_c X_c(p), and I_c = log(Σ_c' Q_c' / Q_c) with Q_c the share of cells where X_c > 0; I_c = 0 where Q_c = 0.
    The sum of weighted cells is the descriptor, so regions are cells, and nothing projects their vectors before. A
    negative S, which maps ≥ 0 do not have, counts as 0.

    Shape:
        maps (B, C, H, W), Regions of single cells with vectors (N, C) → (N, C).

    Raises:
        UserError: in ``check``, regions that are no single cells, vectors that are projected, codes that are no sums.

    Paper: Kalantidis, Mellina, Osindero, "Cross-dimensional weighting for aggregated deep convolutional features",
    ECCV Workshops 2016.
    """

    needs_maps: ClassVar[bool] = True

    def check(self, regions: nn.Module, projection: nn.Module, aggregation: nn.Module) -> None:
        """Refuses parts of a network beside which these weights are none of CroW's."""
        if not (isinstance(regions, Cells) and isinstance(aggregation, Sum)):
            raise UserError(
                "weighting=crow: it weighs single cells that are summed; take regions=cells aggregation=sum."
            )
        if not (isinstance(projection, NoProjection) and not projection.normalise):
            raise UserError(
                "weighting=crow: it weighs the channels of the maps as they are; take projection=none "
                "projection.normalise=false, and reduce the codes by the head."
            )

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """A weight ≥ 0 for each channel of each cell."""
        x, y = regions.boxes[:, 0], regions.boxes[:, 1]
        places = F.normalize(maps.sum(dim=1).flatten(1).clamp(min=1e-12), dim=1).sqrt().view(-1, *maps.shape[2:])
        share = (maps > 0).float().mean(dim=(2, 3))
        rarity = torch.log(share.sum(dim=1, keepdim=True) / share)
        rarity = torch.where(share > 0, rarity, 0.0)
        return places[regions.image, y, x, None] * rarity[regions.image]
