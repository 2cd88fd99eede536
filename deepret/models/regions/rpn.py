"""The region proposal network: boxes that are learned."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import batched_nms, box_iou

from deepret.errors import UserError
from deepret.models.regions.anchors import anchor_boxes
from deepret.models.types import Regions

Overlap = Annotated[float, Field(gt=0, lt=1)]
Sides = Annotated[list[PositiveFloat], Field(min_length=1)]


class RPN(nn.Module):
    """Proposes, on each map, the boxes that most probably hold an object.

    A 1×1 convolution to ``hidden`` channels, which makes the rest cheap, then a 3×3 convolution and two siblings: for each
    anchor a score o and a correction t = (tx, ty, tw, th). Anchors overlapping a box by IoU > ``positive``, and the best
    one of each box, are positive; those under ``negative`` with all boxes negative; the loss is
    log loss(o) + λ · smooth L1(t − t*) over ``anchors`` sampled ones an image, t of the positives. Proposals are the
    ``top`` of the highest score after suppressing those that overlap a better one by IoU > ``nms``.

    Args:
        channels: C, from the backbone.
        hidden: channels after the 1×1 convolution.
        scales: sides of the anchors as shares of the map's larger side.
        ratios: height over width of the anchors.
        top: proposals an image, at most.
        nms: IoU above which the lower of two proposals goes.
        whole: adds the whole map as one more region, not counted in ``top``.
        positive: IoU with a box above which an anchor is positive.
        negative: IoU below which an anchor is negative.
        anchors: sampled for the loss, an image; up to half of them positive.
        box_weight: λ, the weight of the correction's loss.
        joint: whether this loss may change the backbone too; otherwise the maps are detached.

    Shape:
        maps (B, C, H, W) → Regions with scores, image by image, best first.

    Raises:
        UserError: used before it is trained.

    Paper: Ren, He, Girshick, Sun, "Faster R-CNN", NeurIPS 2015; Gordo et al., ECCV 2016 (ranking over proposals).
    """

    trained: ClassVar[bool] = True
    is_trained: Tensor

    def __init__(
        self,
        channels: int,
        hidden: PositiveInt = 256,
        scales: Sides | None = None,
        ratios: Sides | None = None,
        top: PositiveInt = 32,
        nms: Overlap = 0.7,
        whole: bool = True,
        positive: Overlap = 0.7,
        negative: Overlap = 0.3,
        anchors: PositiveInt = 256,
        box_weight: PositiveFloat = 1.0,
        joint: bool = False,
    ) -> None:
        super().__init__()
        self.scales = tuple(scales or (0.25, 0.45, 0.75))
        self.ratios = tuple(ratios or (0.6, 1.0, 1.8))
        self.top = top
        self.nms = nms
        self.whole = whole
        self.box_weight = box_weight
        self.joint = joint
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.head = RPNHead(hidden, len(self.scales) * len(self.ratios))
        self.coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.matcher = Matcher(positive, negative, allow_low_quality_matches=True)
        self.sampler = BalancedPositiveNegativeSampler(anchors, 0.5)
        self.register_buffer("is_trained", torch.tensor(False))

    def forward(self, maps: Tensor) -> Regions:
        """The proposals in whole cells: left and top rounded down, right and bottom up."""
        if not self.is_trained:
            raise UserError(
                "regions=rpn: its RPN is untrained, so it has no proposals to give: name a trained one with checkpoint=PATH, "
                "or take regions=grid."
            )
        boxes, scores, image = self.proposals(maps)
        height, width = maps.shape[2:]
        x0, y0, x1, y1 = boxes.unbind(1)
        x0, y0 = x0.floor().clamp(0, width - 1), y0.floor().clamp(0, height - 1)
        x1, y1 = torch.maximum(x1.ceil().clamp(max=width), x0 + 1), torch.maximum(y1.ceil().clamp(max=height), y0 + 1)
        cells = torch.stack([x0, y0, x1, y1], dim=1).long()
        if self.whole:
            all_of_it = torch.tensor([0, 0, width, height], device=maps.device).expand(len(maps), 4)
            cells = torch.cat([cells, all_of_it])
            scores = torch.cat([scores, scores.new_zeros(len(maps))])
            image = torch.cat([image, torch.arange(len(maps), device=maps.device)])
            order = torch.argsort(image, stable=True)
            cells, scores, image = cells[order], scores[order], image[order]
        return Regions(cells, image, scores=scores)

    @torch.no_grad()
    def proposals(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (N, 4) in cells and fractions of them, their scores in 0…1 (N,), and their images (N,), best first in each."""
        logits, corrections = self.predict(maps)
        batch, height, width = len(maps), *maps.shape[2:]
        boxes = self.coder.decode_single(corrections.reshape(-1, 4), self._anchors(maps).repeat(batch, 1)).view(batch, -1, 4)
        limit = boxes.new_tensor([width, height, width, height])
        boxes = torch.minimum(boxes.clamp(min=0), limit)
        kept = logits.topk(min(20 * self.top, logits.shape[1]), dim=1)
        boxes = boxes.gather(1, kept.indices[:, :, None].expand(-1, -1, 4)).reshape(-1, 4)
        scores = kept.values.reshape(-1)
        image = torch.arange(batch, device=maps.device).repeat_interleave(kept.values.shape[1])
        found = batched_nms(boxes, scores, image, self.nms)  # best first over all images
        found = found[torch.argsort(image[found], stable=True)]
        counts = torch.bincount(image[found], minlength=batch)
        place = torch.arange(len(found), device=maps.device) - (counts.cumsum(0) - counts)[image[found]]
        found = found[place < self.top]
        return boxes[found], scores[found].sigmoid(), image[found]

    def loss(self, maps: Tensor, boxes: list[Tensor]) -> dict[str, Tensor]:
        """The RPN's losses on maps (B, C, H, W) whose objects are known.

        Args:
            maps: from the backbone.
            boxes: for each image its boxes (k, 4) in cells and fractions of them; none is allowed.
        """
        with torch.autocast(maps.device.type, enabled=False):
            logits, corrections = self.predict(maps.float())
            anchors = self._anchors(maps)
            labels, targets = zip(*(self.targets(anchors, b.to(maps.device)) for b in boxes), strict=True)
            positive, negative = (torch.cat(m).bool() for m in self.sampler(list(labels)))
            logits, corrections = logits.reshape(-1), corrections.reshape(-1, 4)
            wanted, target = torch.cat(labels), torch.cat(targets)
            sampled = positive | negative
            log = F.binary_cross_entropy_with_logits(logits[sampled], wanted[sampled])
            off = F.smooth_l1_loss(corrections[positive], target[positive], beta=1 / 9, reduction="sum") / sampled.sum().clamp(min=1)
        return {"log loss": log, "box loss": self.box_weight * off}

    def targets(self, anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """What the anchors (A, 4) of one image should say: labels (A,), 1, 0 or −1 to be ignored, and corrections (A, 4)."""
        if len(boxes) == 0:
            return anchors.new_zeros(len(anchors)), torch.zeros_like(anchors)
        match = self.matcher(box_iou(boxes, anchors))
        labels = (match >= 0).float()
        labels[match == Matcher.BETWEEN_THRESHOLDS] = -1
        return labels, self.coder.encode_single(boxes[match.clamp(min=0)].to(anchors), anchors)

    def predict(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Score logits (B, H · W · A) and corrections (B, H · W · A, 4) of every anchor."""
        rows = maps if self.joint else maps.detach()
        logits, corrections = self.head([F.relu(self.reduce(rows))])
        batch, kinds, height, width = logits[0].shape
        scores = logits[0].permute(0, 2, 3, 1).reshape(batch, -1)
        moves = corrections[0].view(batch, kinds, 4, height, width).permute(0, 3, 4, 1, 2).reshape(batch, -1, 4)
        return scores.float(), moves.float()

    def _anchors(self, maps: Tensor) -> Tensor:
        return anchor_boxes(maps.shape[2], maps.shape[3], self.scales, self.ratios, maps.device)
