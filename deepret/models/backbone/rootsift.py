"""Local features instead of maps: RootSIFT, with colours where they are asked for."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from deepret.models.backbone import sift
from deepret.models.backbone.colour import NUMBERS, colour_statistics
from deepret.models.types import Regions

Array = npt.NDArray[Any]


class RootSIFT(nn.Module):
    """Local features of images, OpenCV's SIFT compared by the Hellinger kernel: √(d / Σ d) of each histogram d.

    They lie at key points, whose patches turn with their gradients, or upright on a dense grid. Nothing of it learns.
    With ``colour``, means and deviations of colours on a 4 × 4 grid of each patch's upright box follow, as
    ``colour_statistics`` has them. A patch without any gradient is no feature.

    Args:
        where: at ``keypoints``, blobs of the difference of Gaussians, or ``dense``.
        count: key points of an image at most, the strongest.
        contrast: of the faintest key point, 0…1; OpenCV's own is 0.04, with which soft photographs have few.
        step: pixels from one patch of the dense grid to the next.
        sizes: sides in pixels of the dense grid's patches.
        colour: whether colours follow, 96 numbers.

    Attributes:
        channels: C, 128 or 224.
        stride: 1: boxes are in pixels.

    Shape:
        images (B, 3, h, w) in 0…255 → Regions of N patches, their boxes clipped to the image, with vectors (N, C)
        float32; the strongest of an image first, or line by line. An image may have none.

    Papers: Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; Arandjelović, Zisserman,
    "Three things everyone should know to improve object retrieval", CVPR 2012.
    """

    local: ClassVar[bool] = True
    freeze_batchnorm: ClassVar[bool] = True

    def __init__(
        self,
        where: Literal["keypoints", "dense"] = "keypoints",
        count: PositiveInt = 2000,
        contrast: Annotated[float, Field(gt=0, lt=1)] = 0.02,
        step: PositiveInt = 8,
        sizes: Annotated[list[Annotated[int, Field(ge=8)]], Field(min_length=1)] | None = None,
        colour: bool = False,
    ) -> None:
        super().__init__()
        self.where = where
        self.count = count
        self.contrast = contrast
        self.step = step
        self.sizes = sizes or [24, 48]
        self.colour = colour
        self.channels = sift.BINS + (NUMBERS if colour else 0)
        self.stride = 1
        self.mean, self.std = [0.0] * 3, [1 / 255] * 3
        self.opencv = cv2.__version__  # what is kept of one version is not taken for another's

    @property
    def lack(self) -> tuple[str, str]:
        """What an image without features has none of, and how to mend it."""
        if self.where == "dense":
            return "no patch with a gradient", "Leave such photographs out."
        return (
            "no key point",
            "Take backbone.where=dense or a smaller backbone.contrast, or leave such photographs out.",
        )

    def forward(self, images: Tensor) -> Regions:
        """The local features of images (B, 3, h, w) in 0…255, found on the CPU, image by image."""
        pixels = images.float().round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        found = [self.features(np.ascontiguousarray(image)) for image in pixels.cpu().numpy()]
        image = np.repeat(np.arange(len(found)), [len(boxes) for boxes, _ in found])
        boxes, vectors = (np.concatenate(rows) for rows in zip(*found, strict=True))
        return Regions(*(torch.from_numpy(array).to(images.device) for array in (boxes, image, vectors)))

    def features(self, image: npt.NDArray[np.uint8]) -> tuple[Array, Array]:
        """Boxes (n, 4) int64 and vectors (n, C) float32 of an image (h, w, 3)."""
        height, width = image.shape[:2]
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        if self.where == "dense":
            boxes = sift.patches(height, width, self.step, self.sizes)
            histograms = sift.described(grey, boxes)
        else:
            points, histograms = sift.strongest(grey, self.count, self.contrast)
            boxes = sift.around(points)
        told = histograms.any(axis=1)
        boxes, vectors = boxes[told].clip(0, [width, height] * 2), sift.hellinger(histograms[told])
        if self.colour:
            vectors = np.concatenate([vectors, colour_statistics(image, boxes)], axis=1)
        return boxes, vectors
