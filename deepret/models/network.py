"""The composition of parts that every system in this framework is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.input.base import Input, View
from deepret.models.types import Codes, Found, Given, Proposed, Regions


class Network(nn.Module):
    """Describes images by one code each, or by one for each region where the aggregation keeps them apart.

    ::

        images (B, 3, h, w)
          │ input         normalises; at test time, repeats at several scales and mirrored
          │ backbone      → maps (B, C, H, W), or local features at once
          ├─────────┐
          │      regions  → N boxes on the maps, or found in the images themselves
          ├─────────┘
          │ pooling       → a vector (C) for each region
          │ projection    → a vector (D) for each region
          │ weighting     → a weight for each region
          │ aggregation   → codes (M, D), M = B unless regions are kept apart
          │ head          → codes (M, D), of length one
        Codes

    R-MAC, for one, is f = L2(Σ_r α_r P(max_{p ∈ r} X(p))) with r from the grid, P a PCA, α = 1. Whatever precision the
    backbone computes in, everything after the pooling is float32. A backbone of local features, such as RootSIFT, gives
    them as regions with vectors: there are no maps then, and regions and pooling do nothing.

    Raises:
        UserError: several views with an aggregation that gives several codes an image, a weighting that looks at maps
            where there are none, or one beside which other parts make no sense.
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
        if input.several and not getattr(aggregation, "one_code", True):
            raise UserError(
                f"input.scales={input.scales}: codes of several views are merged, and this aggregation gives several "
                f"an image; take input.scales=[1.0] input.flip=false, or aggregation=sum."
            )
        if getattr(backbone, "local", False) and getattr(weighting, "needs_maps", True):
            raise UserError(
                "weighting: this one looks at maps, and the backbone gives local features without any; take "
                "weighting=uniform."
            )
        check: Callable[..., None] | None = getattr(weighting, "check", None)
        if check is not None:
            check(regions, projection, aggregation)
        self.input = input
        self.backbone = backbone
        self.regions = regions
        self.pooling = pooling
        self.projection = projection
        self.weighting = weighting
        self.aggregation = aggregation
        self.head = head

    def train(self, mode: bool = True) -> Network:
        """Sets training mode, in which parts that are frozen stay as in evaluation."""
        super().train(mode)
        for part in self.children():
            own = [parameter.requires_grad for parameter in part.parameters()]
            if own and not any(own):
                part.eval()
        return self

    def forward(self, images: Tensor) -> Codes:
        """Codes of images (B, 3, h, w) in 0…255; in evaluation mode, over all views of the input."""
        if self.training:
            return self.codes(self.maps(images), batch=len(images))
        boxes = self.propose(images)
        views = [self.beside(self.look(images, view), boxes, view.mirrored) for view in self.input.views]
        return self.merged(views, len(images))

    def maps(self, images: Tensor) -> Any:
        """The backbone's maps (B, C, H, W) of images (B, 3, h, w) in 0…255, with boxes or not, or local features."""
        return self.beside(self.backbone(self.input(images)), self.propose(images))

    @property
    def needs_images(self) -> bool:
        """Whether the regions are found in the photographs' pixels, not on the maps alone."""
        return getattr(self.regions, "needs_images", False) and not getattr(self.backbone, "local", False)

    def propose(self, images: Tensor) -> list[Tensor] | None:
        """The boxes (k, 4) of each of images (B, 3, h, w) in 0…255, as shares of its sides; None where none are needed.

        They are found once, in the images as they are, and looked at in every view.
        """
        regions: Any = self.regions
        return regions.propose(images) if self.needs_images else None

    @staticmethod
    def beside(found: Given, boxes: list[Tensor] | None, mirrored: bool = False) -> Found:
        """Maps of one view, with the images' boxes as the view shows them."""
        if boxes is None or not isinstance(found, Tensor):
            return found
        return Proposed(found, [mirror(own) for own in boxes] if mirrored else boxes)

    def look(self, images: Tensor, view: View) -> Given:
        """What the backbone finds in one view of images (B, 3, h, w) in 0…255: maps (B, C, H, W) or local features.

        Boxes of the images come beside maps afterwards.
        """
        found: Given = self.backbone(self.input.seen(self.input(images), view))
        return found

    def merged(self, views: Sequence[Found], batch: int) -> Codes:
        """Codes of a batch of images from what the backbone found in each of their views."""
        each = [self.codes(found, batch=batch) for found in views]
        return each[0] if len(each) == 1 else Codes(self.input.merged([c.vectors for c in each]), each[0].image)

    # The parts after the backbone, each on what the one before it gave -----------------------------------------------

    def codes(self, found: Found, regions: Regions | None = None, batch: int | None = None) -> Codes:
        """Codes from maps (B, C, H, W), over regions of the network's own choice unless they are given.

        Args:
            found: maps, with boxes or not, or local features of a batch.
            regions: without vectors.
            batch: B, which local features do not tell.
        """
        codes = self.aggregated(found, regions, batch)
        with torch.autocast(codes.vectors.device.type, enabled=False):
            last: Codes = self.head(codes)
        return last

    def aggregated(self, found: Found, regions: Regions | None = None, batch: int | None = None) -> Codes:
        """Codes before the head."""
        own = self.projected(found, regions)
        maps = None if isinstance(found, Regions) else maps_of(found).float()
        if batch is None:
            assert maps is not None, "local features do not tell how many images they are of"
            batch = len(maps)
        with torch.autocast(own.boxes.device.type, enabled=False):
            weights: Tensor = self.weighting(maps, own)
            assert own.vectors is not None
            codes: Codes = self.aggregation(own, weights.to(own.vectors.dtype), batch)
        return codes

    def projected(self, found: Found, regions: Regions | None = None) -> Regions:
        """Regions with vectors (N, D) that are projected."""
        own = self.pooled(found, regions)
        with torch.autocast(own.boxes.device.type, enabled=False):
            return own.with_vectors(self.projection(own.vectors))

    def pooled(self, found: Found, regions: Regions | None = None) -> Regions:
        """Regions with vectors (N, C) as pooling finds them, in float32."""
        if isinstance(found, Regions):
            assert found.vectors is not None
            return found.with_vectors(found.vectors.float())
        own = self.chosen(found) if regions is None else regions
        return own.with_vectors(self.pooling(maps_of(found), own).float())

    def chosen(self, found: Tensor | Proposed) -> Regions:
        """The regions of the network's own choice, without vectors."""
        own: Regions = self.regions(found.maps, found.boxes) if isinstance(found, Proposed) else self.regions(found)
        return own


def maps_of(found: Tensor | Proposed) -> Tensor:
    """The maps (B, C, H, W), with or without boxes beside them."""
    return found.maps if isinstance(found, Proposed) else found


def mirror(boxes: Tensor) -> Tensor:
    """Boxes (k, 4), shares of the sides, of an image that is mirrored left to right."""
    x0, y0, x1, y1 = boxes.unbind(1)
    return torch.stack([1 - x1, y0, 1 - x0, y1], dim=1)
