"""R-CNN, Fast R-CNN and Faster R-CNN as three ways to the same detections: what each computes for an image."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import nms

from deepret.models.detector.roi_heads import Detections, Detector
from deepret.models.network import Network
from deepret.models.regions.proposals import Proposals
from deepret.models.regions.rpn import RPN

CROP = 224
"""Pixels each way that R-CNN brings a proposal to; 227 are published."""
CROPS = 32
"""Crops that pass through the network at once."""


class Timed(NamedTuple):
    """Detections of one image as shares of its sides, how many proposals they are from, and the seconds it took."""

    found: Detections
    proposals: int
    proposing: float
    rest: float


System = Callable[[Network, Detector, Tensor], Timed]


@torch.inference_mode()
def faster_rcnn(network: Network, detector: Detector, image: Tensor) -> Timed:
    """One pass of the backbone, whose maps the RPN and the detector share.

    Args:
        network: whose regions are a trained RPN.
        detector: on top of it.
        image: (3, h, w) in 0…255.
    """
    start = _now(image)
    maps = _maps(network, image[None])
    middle = _now(image)
    boxes, _, _ = cast(RPN, network.regions).proposals(maps, detector.top, detector.proposals_nms)
    proposed = _now(image)
    found = _shares(detector.detect(maps, [boxes])[0], maps)
    end = _now(image)
    return Timed(found, len(boxes), proposed - middle, end - proposed + middle - start)


@torch.inference_mode()
def fast_rcnn(network: Network, detector: Detector, image: Tensor) -> Timed:
    """Proposals from outside, by selective search; one pass of the backbone, whose maps all of them are pooled from."""
    start = _now(image)
    boxes = _searched(image)
    proposed = _now(image)
    maps = _maps(network, image[None])
    found = _shares(detector.detect(maps, [boxes * _sides(maps)])[0], maps)
    end = _now(image)
    return Timed(found, len(boxes), proposed - start, end - proposed)


@torch.inference_mode()
def rcnn(network: Network, detector: Detector, image: Tensor) -> Timed:
    """Proposals from outside, each of which is cut out, brought to one size, and passes through the backbone."""
    start = _now(image)
    boxes = _searched(image)
    proposed = _now(image)
    size = torch.tensor([image.shape[2], image.shape[1]], device=image.device).repeat(2)
    pixels = torch.cat([(boxes * size)[:, :2].floor(), (boxes * size)[:, 2:].ceil()], dim=1).long().tolist()
    crops = [_crop(image, *box) for box in pixels]
    corrected, scores = [], []
    for own, part in zip(
        torch.split(boxes, CROPS), [crops[k : k + CROPS] for k in range(0, len(crops), CROPS)], strict=True
    ):
        maps = _maps(network, torch.stack(part))
        whole = torch.cat([torch.zeros(2, device=maps.device), _sides(maps)[2:]])[None]
        for box, (moved, score) in zip(own, detector.detect(maps, [whole] * len(part)), strict=True):
            inside = moved / _sides(maps)
            corner, side = box[:2], box[2:] - box[:2]
            corrected.append(torch.cat([corner + inside[:, :2] * side, corner + inside[:, 2:] * side], dim=1))
            scores.append(score)
    every, score = torch.cat(corrected), torch.cat(scores)
    kept = nms(every, score, detector.heads.nms_thresh)[: detector.heads.detections_per_img]
    end = _now(image)
    return Timed(Detections(every[kept], score[kept]), len(boxes), proposed - start, end - proposed)


SYSTEMS: dict[str, System] = {"R-CNN": rcnn, "Fast R-CNN": fast_rcnn, "Faster R-CNN": faster_rcnn}
"""In the order of their papers."""


def _searched(image: Tensor) -> Tensor:
    """All boxes of selective search (k, 4) as shares of the sides, none kept from another time."""
    return Proposals(whole=False).propose(image[None])[0].to(image.device)


def _maps(network: Network, images: Tensor) -> Tensor:
    return cast(Tensor, network.backbone(network.input(images))).float()


def _crop(image: Tensor, x0: int, y0: int, x1: int, y1: int) -> Tensor:
    size = (CROP, CROP)
    part = image[None, :, y0:y1, x0:x1].float()
    return F.interpolate(part, size, mode="bilinear", antialias=True, align_corners=False)[0]


def _sides(maps: Tensor) -> Tensor:
    return torch.tensor([maps.shape[3], maps.shape[2]] * 2, device=maps.device)


def _shares(found: Detections, maps: Tensor) -> Detections:
    return Detections(found.boxes / _sides(maps), found.scores)


def _now(image: Tensor) -> float:
    if image.device.type == "cuda":
        torch.cuda.synchronize(image.device)
    return time.perf_counter()
