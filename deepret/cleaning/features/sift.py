"""SIFT, as OpenCV has it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from deepret.cleaning.features.base import Array, Extractor
from deepret.models.backbone.sift import strongest


class SIFT(Extractor):
    """Difference-of-Gaussian blobs and their gradient histograms (n, 128), compared by their Euclidean distance.

    Args:
        size: larger side in pixels to which photographs are brought.
        count: features of a photograph at most.
        contrast: of the faintest blob, 0…1; OpenCV's own is 0.04, with which soft photographs have few.

    Source: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004.
    """

    def __init__(
        self,
        size: Annotated[int, Field(ge=32, le=4096)] = 640,
        count: Annotated[int, Field(ge=16, le=8000)] = 1500,
        contrast: Annotated[float, Field(gt=0, lt=1)] = 0.02,
    ) -> None:
        super().__init__(size, count)
        self.contrast = contrast

    def extract(self, image: npt.NDArray[np.uint8]) -> tuple[Array, Array]:
        """Points (n, 2) in pixels and descriptors (n, 128) uint8 of a grey image (h, w), the strongest first."""
        points, histograms = strongest(image, self.count, self.contrast)
        places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
        return places, self.bytes_of(histograms)

    def bytes_of(self, histograms: Array) -> Array:
        """Descriptors as eight bits, as OpenCV gives them: whole numbers up to 255."""
        return np.minimum(np.rint(histograms), 255).astype(np.uint8)
