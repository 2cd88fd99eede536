"""The composition of parts that every system in this framework is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.input.base import Input
from deepret.models.types import Codes, Regions


class Network(nn.Module):
    """Describes images by one code each, or by one for each region where the aggregation keeps them apart.

    ::

        images (B, 3, h, w)
          │ input         normalises; at test time, repeats at several scales
          │ backbone      → maps (B, C, H, W)
          ├─────────┐
          │      regions  → N boxes on the maps
          ├─────────┘
          │ pooling       → a vector (C) for each region
          │ projection    → a vector (D) for each region
          │ weighting     → a weight for each region
          │ aggregation   → codes (M, D), M = B unless regions are kept apart
          │ head          → codes (M, D), of length one
        Codes

    R-MAC, for one, is f = L2(Σ_r α_r P(max_{p ∈ r} X(p))) with r from the grid, P a PCA, α = 1. Whatever precision the
    backbone computes in, everything after the pooling is float32.

    Raises:
        UserError: several scales with an aggregation that gives several codes an image.
    """

    def __init__(
        self,
        input: Input,
        backbone: nn.Module,
        regions: nn.Module,
        pooling: nn.Module,
        projection: nn.Module,
        weighting: nn.Module,
        aggregation: nn.Module,
        head: nn.Module,
    ) -> None:
        super().__init__()
        if len(input.scales) > 1 and not getattr(aggregation, "one_code", True):
            raise UserError(
                f"input.scales={input.scales}: codes at several scales are summed, and this aggregation gives several "
                f"an image; take input.scales=[1.0], or aggregation=sum."
            )
        self.input = input
        self.backbone = backbone
        self.regions = regions
        self.pooling = pooling
        self.projection = projection
        self.weighting = weighting
        self.aggregation = aggregation
        self.head = head

    def forward(self, images: Tensor) -> Codes:
        """Codes of images (B, 3, h, w) in 0…255; in evaluation mode, over all scales of the input."""
        pixels = self.input(images)
        if self.training or self.input.scales == [1.0]:
            return self.codes(self.backbone(pixels))
        each = [self.codes(self.backbone(scaled)) for scaled in self.input.pyramid(pixels)]
        return Codes(F.normalize(torch.stack([codes.vectors for codes in each]).sum(0), dim=1), each[0].image)

    def maps(self, images: Tensor) -> Tensor:
        """The backbone's maps (B, C, H, W) of images (B, 3, h, w) in 0…255."""
        found: Tensor = self.backbone(self.input(images))
        return found

    def codes(self, maps: Tensor, regions: Regions | None = None) -> Codes:
        """Codes from maps (B, C, H, W), over regions of the network's own choice unless they are given."""
        regions = self.regions(maps) if regions is None else regions
        pooled = self.pooling(maps, regions)
        with torch.autocast(maps.device.type, enabled=False):
            regions = regions.with_vectors(self.projection(pooled.float()))
            weights = self.weighting(maps.float(), regions)
            codes: Codes = self.head(self.aggregation(regions, weights, len(maps)))
        return codes

    def region_vectors(self, images: Tensor) -> Tensor:
        """What a projection is fitted on: the pooled vectors (N, C) of the images' regions, as they are."""
        maps = self.maps(images)
        pooled: Tensor = self.pooling(maps, self.regions(maps))
        return pooled.float()
