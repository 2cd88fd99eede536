"""The generalised mean over any boxes of a map, with a power that may be learned."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from deepret.models.pooling.boxes import box_means
from deepret.models.types import Regions

LEAST = 1e-6
"""Smaller responses count as this, so that powers and roots have gradients."""
POWERS = (0.1, 50.0)
"""The smallest and the largest p: what learns stays between them."""


class GeM(nn.Module):
    """Takes the generalised mean of each channel in each box: f_c = ((1 / |R|) Σ_{q ∈ R} max(X_c(q), 1e-6)^p)^(1/p).

    p = 1 is the mean, and the larger p is, the closer it comes to the maximum. Powers and sums are in float64, which
    holds those of 1e-6 up to p = 50.

    Args:
        channels: C, from the backbone.
        p: the power, where it starts if it is learned.
        learned: whether p learns with the network.
        per_channel: whether each channel has a power of its own, all of which start as p.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N, C), in float32, or float64 where the maps are.

    Raises:
        ValueError: a box that is empty or leaves its map.

    Paper: Radenović, Tolias, Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2018.
    """

    rate: ClassVar[float] = 10.0
    """Of p's learning rate, as a multiple of the network's, as published."""
    p: Tensor

    def __init__(
        self,
        channels: int,
        p: Annotated[float, Field(ge=POWERS[0], le=POWERS[1])] = 3.0,
        learned: bool = True,
        per_channel: bool = False,
    ) -> None:
        super().__init__()
        powers = torch.full((channels if per_channel else 1,), float(p))
        if learned:
            self.p = nn.Parameter(powers)
        else:
            self.register_buffer("p", powers)

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """The generalised means (N, C) of the boxes."""
        p = self.p.double().clamp(*POWERS)
        powers = maps.permute(0, 2, 3, 1).double().clamp(min=LEAST).pow(p)
        means = box_means(powers, regions).pow(1 / p)
        return means.to(torch.promote_types(maps.dtype, torch.float32))
