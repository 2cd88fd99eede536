"""The mean over any boxes of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepret.models.pooling.boxes import box_means
from deepret.models.types import Regions


class Mean(nn.Module):
    """Takes the mean response of each channel in each box: f_c = (1 / |R|) Σ_{p ∈ R} X_c(p).

    Over the whole map this is SPoC without a prior, up to the length of the code. It is computed in float64.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N, C), in float32, or float64 where the maps are.

    Raises:
        ValueError: a box that is empty or leaves its map.

    Paper: Babenko, Lempitsky, "Aggregating deep convolutional features for image retrieval", ICCV 2015.
    """

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """The means (N, C) of the boxes."""
        means = box_means(maps.permute(0, 2, 3, 1).double(), regions)
        return means.to(torch.promote_types(maps.dtype, torch.float32))
