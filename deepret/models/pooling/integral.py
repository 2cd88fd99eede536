"""Sums of powers over any boxes of a map by summed-area tables, which come close to the maximum."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from deepret.models.pooling.boxes import check_boxes
from deepret.models.types import Regions


class Integral(nn.Module):
    """Takes nearly the maximum of each channel in each box: f_c = (Σ_{p ∈ R} X_c(p)^α)^(1/α).

    One summed-area table a channel gives any box with four look-ups, whatever its size. Responses are divided by their
    channel's maximum on the map first and summed in float64; negative ones count as 0, and so do sums that rounding
    makes negative. What rounding takes is what lies below (2e-16 H W)^(1/α) of the channel's maximum: 5 % at α = 10 on
    32 × 24 cells, 37 % at α = 30. Nothing is learned from sums as small as that: their gradient is zero.

    The exact maximum wins where a map's boxes are known at once: it takes 0.33 to 0.42 of the time for 20 to 1,000
    boxes on 32 × 24 cells. ``PowerSums`` wins where one map is asked again and again, as localisation does: 8 boxes
    more take a ninth of the maximum's time, at a relative error of 1.0 % in the cosine (α = 10; the worst 3.3 %).

    Args:
        alpha: α; the error against the maximum falls with it, until rounding takes more than a larger α gains.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N, C), in float32, or float64 where the maps are.

    Raises:
        ValueError: a box that is empty or leaves its map.

    Paper: Tolias, Sicre, Jégou, "Particular object retrieval with integral max-pooling of CNN activations", ICLR 2016.
    """

    def __init__(self, alpha: Annotated[float, Field(ge=1)] = 10.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """What comes close to the maxima (N, C) of the boxes."""
        return PowerSums(maps, self.alpha).pooled(regions)


class PowerSums:
    """Summed-area tables of the α-th powers of maps, made once for any number of questions.

    Args:
        maps: (B, C, H, W).
        alpha: α.

    Attributes:
        top: (B, C), the maximum of each channel, by which responses are divided first.
        sums: (B, H + 1, W + 1, C) float64, at (y, x) the sum over all cells above and to the left of that corner.
    """

    def __init__(self, maps: Tensor, alpha: float) -> None:
        rows = maps.permute(0, 2, 3, 1)
        self.alpha = alpha
        self.dtype = torch.promote_types(maps.dtype, torch.float32)
        self.top = rows.detach().amax((1, 2)).to(self.dtype).clamp(min=torch.finfo(self.dtype).tiny)
        powers = (rows.double() / self.top[:, None, None]).clamp(min=0).pow(alpha)
        self.sums = F.pad(powers, (0, 0, 1, 0, 1, 0)).cumsum(1).cumsum(2)

    def pooled(self, regions: Regions) -> Tensor:
        """(Σ X^α)^(1/α) over boxes, (N, C).

        Raises:
            ValueError: a box that is empty or leaves its map.
        """
        _, height, width, channels = self.sums.shape
        check_boxes(regions, height - 1, width - 1)
        x0, y0, x1, y1 = regions.boxes.unbind(1)
        upper, lower = ((regions.image * height + y) * width for y in (y0, y1))
        corners = torch.stack([lower + x1, upper + x1, lower + x0, upper + x0])
        a, b, c, d = self.sums.view(-1, channels).index_select(0, corners.flatten()).view(4, -1, channels)
        sums = (a - b) - (c - d)
        lost = torch.finfo(sums.dtype).eps * (height - 1) * (width - 1)
        sums = torch.where(sums > lost, sums, sums.detach()).clamp(min=0)
        return sums.to(self.dtype).pow(1 / self.alpha) * self.top[regions.image]
