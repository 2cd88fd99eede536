"""The region proposal network: boxes that are learned."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import box_iou, nms

from deepret.errors import UserError
from deepret.models.regions.anchors import anchor_boxes
from deepret.models.types import Regions

Overlap = Annotated[float, Field(gt=0, lt=1)]
Sides = Annotated[list[PositiveFloat], Field(min_length=1)]


CANDIDATES = 20
"""Boxes that suppression chooses each proposal from."""


class RPN(nn.Module):
    """Proposes, on each map, the boxes that most probably hold an object.

    A 1×1 convolution to ``hidden`` channels, which makes the rest cheap, then ``depth`` 3×3 convolutions and two
    siblings: for each anchor a score o and a correction t = ((x − xₐ) / wₐ, (y − yₐ) / hₐ, log w/wₐ, log h/hₐ) of its
    centre and sides.
    Anchors that overlap a box by IoU ≥ ``positive``, and the best of each box, are positive; those under ``negative``
    with all boxes are negative; the loss is log loss(o) + λ · smooth L1(t − t*) over ``anchors`` sampled ones an image,
    t of the positives. Proposals are the ``top`` of the highest score, less those that overlap a better one by
    IoU > ``nms``.

    Args:
        channels: C, from the backbone.
        hidden: channels after the 1×1 convolution.
        depth: 3×3 convolutions, each of which widens what a place sees by two cells.
        scales: sides of the anchors as shares of the map's larger side.
        ratios: height over width of the anchors.
        top: proposals an image, at most.
        nms: IoU above which the lower of two proposals goes.
        whole: adds the whole map as one more region, not counted in ``top``.
        positive: IoU with a box above which an anchor is positive.
        negative: IoU below which an anchor is negative.
        anchors: sampled for the loss, an image; up to half of them positive.
        box_weight: λ, the weight of the correction's loss.
        dropout: share of the maps' channels that are left out at random, a new draw for each image, in the loss only.
        joint: whether this loss may change the backbone too; otherwise the maps are detached.
        weights: a checkpoint whose RPN is taken, of a detector or of another training with the same backbone; None
            where it is learned.

    Shape:
        maps (B, C, H, W) → Regions with scores, image by image, best first.

    Raises:
        UserError: used before it is trained; ``negative`` above ``positive``.

    Paper: Ren, He, Girshick, Sun, "Faster R-CNN", NeurIPS 2015; Gordo et al., ECCV 2016 (ranking over proposals).
    """

    trained: ClassVar[bool] = True
    is_trained: Tensor

    def __init__(
        self,
        channels: int,
        hidden: PositiveInt = 256,
        depth: PositiveInt = 1,
        scales: Sides | None = None,
        ratios: Sides | None = None,
        top: PositiveInt = 32,
        nms: Overlap = 0.85,
        whole: bool = True,
        positive: Overlap = 0.7,
        negative: Overlap = 0.3,
        anchors: PositiveInt = 256,
        box_weight: PositiveFloat = 1.0,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        joint: bool = False,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if negative > positive:
            raise UserError(
                f"regions.negative={negative} is above regions.positive={positive}, so an anchor could be both: give a "
                f"negative of at most {positive}."
            )
        self.scales = tuple(scales or (0.3, 0.55, 0.85))
        self.ratios = tuple(ratios or (0.6, 1.0, 1.8))
        self.top = top
        self.nms = nms
        self.whole = whole
        self.box_weight = box_weight
        self.dropout = dropout
        self.joint = joint
        self.weights = weights
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.head = RPNHead(hidden, len(self.scales) * len(self.ratios), conv_depth=depth)
        self.coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.matcher = Matcher(positive, negative, allow_low_quality_matches=True)
        self.sampler = BalancedPositiveNegativeSampler(anchors, 0.5)
        self.register_buffer("is_trained", torch.tensor(False))

    def forward(self, maps: Tensor) -> Regions:
        """The proposals in whole cells: left and top rounded down, right and bottom up."""
        if not self.is_trained:
            raise UserError(
                "regions=rpn: its RPN is untrained, so it has no proposals to give: name a trained one with "
                "checkpoint=PATH, or take regions=grid."
            )
        boxes, scores, image = self.proposals(maps)
        cells = torch.cat([boxes[:, :2].floor(), boxes[:, 2:].ceil()], dim=1).long()
        if self.whole:
            batch, height, width = len(maps), *maps.shape[2:]
            cells = torch.cat([cells, cells.new_tensor([0, 0, width, height]).expand(batch, 4)])
            scores = torch.cat([scores, scores.new_zeros(batch)])
            image, order = torch.cat([image, torch.arange(batch, device=maps.device)]).sort(stable=True)
            cells, scores = cells[order], scores[order]
        return Regions(cells, image, scores=scores)

    @torch.no_grad()
    def proposals(
        self, maps: Tensor, top: int | None = None, overlap: float | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The proposals before they are rounded, image by image, best first.

        Args:
            maps: (B, C, H, W), from the backbone.
            top: proposals an image, at most; the network's own number where not given.
            overlap: IoU above which the lower of two proposals goes; the network's own ``nms`` where not given.

        Returns:
            boxes (N, 4) in cells and fractions of them, inside the map and at least a cell wide and tall; their scores
            (N,) in 0…1; their images (N,).
        """
        top, overlap = top or self.top, overlap or self.nms
        logits, corrections = self.predict(maps)
        boxes = self.decode(corrections, maps)
        # of equal scores the earlier anchor is first, which topk leaves to chance
        scores, order = (found[:, : CANDIDATES * top] for found in logits.sort(dim=1, descending=True, stable=True))
        boxes = boxes.gather(1, order[:, :, None].expand(-1, -1, 4))
        # Image by image: exactly what each gives alone, and 15 times faster on a CPU than all at once with offsets.
        kept = [nms(b, s, overlap)[:top] for b, s in zip(boxes, scores, strict=True)]
        counts = torch.tensor([len(k) for k in kept], device=maps.device)
        image, place = torch.arange(len(maps), device=maps.device).repeat_interleave(counts), torch.cat(kept)
        return boxes[image, place], scores[image, place].sigmoid(), image

    def decode(self, corrections: Tensor, maps: Tensor) -> Tensor:
        """What corrections (B, A, 4) make of the anchors: boxes (B, A, 4) inside the map, at least a cell each way."""
        anchors = self._anchors(maps).repeat(len(maps), 1)
        boxes = self.coder.decode_single(corrections.reshape(-1, 4), anchors).view(corrections.shape)
        limit = boxes.new_tensor([maps.shape[3], maps.shape[2]])
        start = torch.minimum(boxes[..., :2].clamp(min=0), limit - 1)
        return torch.cat([start, torch.minimum(torch.maximum(boxes[..., 2:], start + 1), limit)], dim=2)

    def loss(self, maps: Tensor, boxes: list[Tensor]) -> dict[str, Tensor]:
        """The RPN's losses on maps (B, C, H, W) whose objects are known.

        Args:
            maps: from the backbone.
            boxes: for each image its boxes (k, 4) in cells and fractions of them. An image without any counts for
                nothing: that no box is known does not say that there is no object.
        """
        logits, corrections = self.predict(F.dropout2d(maps.float(), self.dropout, self.training))
        anchors = self._anchors(maps)
        labels, targets = zip(*(self.targets(anchors, b.to(maps.device)) for b in boxes), strict=True)
        positive, negative = (torch.cat(m).bool() for m in self.sampler(list(labels)))
        sampled = positive | negative
        said, wanted = logits.reshape(-1)[sampled], torch.cat(labels)[sampled]
        log = F.binary_cross_entropy_with_logits(said, wanted, reduction="sum")
        wrong, right = corrections.reshape(-1, 4)[positive], torch.cat(targets)[positive]
        off = F.smooth_l1_loss(wrong, right, beta=1 / 9, reduction="sum")
        count = sampled.sum().clamp(min=1)
        return {"log loss": log / count, "box loss": self.box_weight * off / count}

    @torch.no_grad()
    def targets(self, anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """What the anchors (A, 4) of one image should say.

        A box that no anchor touches, such as one without area, is left out.

        Returns:
            labels (A,), 1, 0 or −1 to be ignored, and corrections (A, 4), which count where the label is 1.
        """
        overlaps = box_iou(boxes.to(anchors), anchors)
        touched = overlaps.amax(dim=1) > 0
        if not touched.any():
            return anchors.new_full((len(anchors),), -1), torch.zeros_like(anchors)
        match = self.matcher(overlaps[touched])
        labels = (match >= 0).to(anchors.dtype)
        labels[match == Matcher.BETWEEN_THRESHOLDS] = -1
        return labels, self.coder.encode_single(boxes[touched].to(anchors)[match.clamp(min=0)], anchors)

    def predict(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Score logits (B, H · W · A) and corrections (B, H · W · A, 4) of every anchor, in the weights' own precision.

        In bfloat16 many scores would tie, and which box suppresses which would be left to chance.
        """
        with torch.autocast(maps.device.type, enabled=False):
            rows = self.reduce((maps if self.joint else maps.detach()).to(self.reduce.weight.dtype))
            logits, corrections = self.head([F.relu(rows)])
        batch, kinds, height, width = logits[0].shape
        scores = logits[0].permute(0, 2, 3, 1).reshape(batch, -1)
        moves = corrections[0].view(batch, kinds, 4, height, width).permute(0, 3, 4, 1, 2).reshape(batch, -1, 4)
        return scores, moves

    def _anchors(self, maps: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        return anchor_boxes(height, width, self.scales, self.ratios, maps.device, self.reduce.weight.dtype)
