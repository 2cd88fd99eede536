"""No aggregation: each region of an image has a code of its own."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from deepret.models.types import Codes, Regions


class NoAggregation(nn.Module):
    """Keeps regions apart, so that an image is a set of objects, each with a code: f_r = α_r y_r.

    Such sets are searched by ``index=objects``, and are for evaluation only: losses compare one code an image. The
    head brings every object's code to length one; one of weight zero stays zero, and is then no object.

    Shape:
        Regions with vectors (N, D), weights (N,) or (N, D) → Codes (M = N, D), image by image.

    Paper: Xie, Hong, Zhang, Tian, "Image classification and retrieval are ONE", ICMR 2015.
    """

    one_code: ClassVar[bool] = False

    def forward(self, regions: Regions, weights: Tensor, batch: int) -> Codes:
        """One code a region; none for an image without regions."""
        assert regions.vectors is not None
        weights = weights[:, None] if weights.ndim == 1 else weights
        return Codes(regions.vectors * weights, regions.image)
