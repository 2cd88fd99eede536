"""The second half of Faster R-CNN: what a proposal holds, and where exactly its box is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import MultiScaleRoIAlign

Overlap = Annotated[float, Field(gt=0, lt=1)]
MAPS = "maps"
"""What the pooling calls the one level of maps that there is."""
RATIO = 2
"""Points a side and bin at which RoIAlign reads the map, as published."""
WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""What corrections of centre and sides are multiplied by, so that their spread is about one; Fast R-CNN's."""


class Detections(NamedTuple):
    """Of one image: boxes (n, 4), x0, y0, x1, y1 in cells and fractions of them; scores (n,) in 0…1; best first."""

    boxes: Tensor
    scores: Tensor


class Detector(nn.Module):
    """Scores and corrects proposals, whoever made them; objects are of one class, and all else is background.

    A 1×1 convolution to ``hidden`` channels, RoIAlign of ``size`` × ``size``, two layers of ``width`` and two siblings:
    the score p of each class, by softmax, and a correction t as the RPN's, of the proposal. Proposals that overlap a
    box by IoU ≥ ``positive`` are positive, all others background, and the true boxes are proposals too; the loss is
    −log p + smooth L1(t − t*) over ``sampled`` ones an image, a quarter of them positive at most. It works on maps that
    the RPN shares, in cells, so that after the backbone it costs little.

    Args:
        channels: C, from the backbone.
        hidden: channels after the 1×1 convolution.
        size: cells of what RoIAlign gives, each way.
        width: of the two layers.
        top: proposals an image that are looked at.
        proposals_nms: IoU with a better one above which a proposal is not.
        positive: IoU with a box above which a proposal is positive.
        sampled: proposals an image in the loss.
        nms: IoU above which the lower of two detections goes.
        least: score under which nothing is detected.
        most: detections an image, at most.
        dropout: share of the maps' channels that are left out at random, a new draw for each image, in the loss only.
        rate: learning rate, as a multiple of the optimiser's.

    Paper: Girshick, "Fast R-CNN", ICCV 2015; Ren, He, Girshick, Sun, "Faster R-CNN", NeurIPS 2015; He et al.,
    "Mask R-CNN" (RoIAlign), ICCV 2017.
    """

    def __init__(
        self,
        channels: int,
        hidden: PositiveInt = 256,
        size: PositiveInt = 7,
        width: PositiveInt = 512,
        top: PositiveInt = 64,
        proposals_nms: Overlap = 0.7,
        positive: Overlap = 0.5,
        sampled: Annotated[int, Field(ge=4)] = 64,
        nms: Overlap = 0.5,
        least: Annotated[float, Field(ge=0, lt=1)] = 0.05,
        most: PositiveInt = 20,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        rate: PositiveFloat = 10.0,
    ) -> None:
        super().__init__()
        self.top = top
        self.proposals_nms = proposals_nms
        self.dropout = dropout
        self.rate = rate
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.heads = RoIHeads(
            MultiScaleRoIAlign([MAPS], size, RATIO),
            TwoMLPHead(hidden * size * size, width),
            FastRCNNPredictor(width, 2),
            fg_iou_thresh=positive,
            bg_iou_thresh=positive,
            batch_size_per_image=sampled,
            positive_fraction=0.25,
            bbox_reg_weights=WEIGHTS,
            score_thresh=least,
            nms_thresh=nms,
            detections_per_img=most,
        )

    def loss(self, maps: Tensor, proposals: Sequence[Tensor], boxes: Sequence[Tensor]) -> dict[str, Tensor]:
        """The two losses, over all images.

        Args:
            maps: (B, C, H, W).
            proposals: of each image (n, 4), in cells.
            boxes: of each image its true boxes (k, 4), in cells; an image without any is all background.
        """
        truth = [{"boxes": own.to(self.dtype), "labels": own.new_ones(len(own), dtype=torch.int64)} for own in boxes]
        dropped = F.dropout2d(maps, self.dropout, self.training)
        _, losses = self.heads(*self._seen(dropped, proposals), truth)
        return {"class loss": losses["loss_classifier"], "box loss": losses["loss_box_reg"]}

    @torch.no_grad()
    def detect(self, maps: Tensor, proposals: Sequence[Tensor]) -> list[Detections]:
        """What is detected in each image.

        Args:
            maps: (B, C, H, W).
            proposals: of each image (n, 4), in cells.
        """
        training = self.training
        self.eval()
        try:
            found, _ = self.heads(*self._seen(maps, proposals))
        finally:
            self.train(training)
        return [Detections(each["boxes"], each["scores"]) for each in found]

    def _seen(
        self, maps: Tensor, proposals: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor], list[tuple[int, int]]]:
        """What the heads take: maps with fewer channels, proposals, and sizes, all in cells."""
        size = int(maps.shape[2]), int(maps.shape[3])
        seen = F.relu(self.reduce(maps.to(self.dtype)))
        return {MAPS: seen}, [own.to(self.dtype) for own in proposals], [size] * len(maps)

    @property
    def dtype(self) -> torch.dtype:
        """In which it computes: that of its weights."""
        return self.reduce.weight.dtype
