"""Three systems over one backbone that hands pixels on, and a detector that says what it is asked to look at."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from networks import simplest
from torch import Tensor, nn

from deepret.models.detector.roi_heads import Detections, Detector
from deepret.models.detector.systems import CROP, SYSTEMS
from deepret.models.regions.proposals import Proposals
from deepret.models.regions.rpn import RPN


class Pixels(nn.Module):
    """A backbone whose maps are the means of 4 × 4 pixels; it counts what passes through it."""

    mean, std, channels, stride = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 3, 4

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape))
        return nn.functional.avg_pool2d(images, 4)


class Echo(nn.Module):
    """Detects each proposal where it is, the brighter the surer."""

    top, proposals_nms = 8, 0.7

    def __init__(self) -> None:
        super().__init__()
        self.heads = SimpleNamespace(nms_thresh=0.5, detections_per_img=5)

    def detect(self, maps: Tensor, proposals: Sequence[Tensor]) -> list[Detections]:
        return [
            Detections(own.clone(), own.new_full((len(own),), float(image.mean().sigmoid())))
            for image, own in zip(maps, proposals, strict=True)
        ]


@pytest.fixture
def image() -> Tensor:
    """A bright square on a dark ground."""
    made = torch.full((3, 96, 128), 20.0)
    made[:, 24:72, 32:80] = 230.0
    return made


def run(name: str, image: Tensor) -> tuple[Any, list[tuple[int, ...]]]:
    backbone = Pixels()
    network = simplest(backbone, size=128)
    network.regions = RPN(3, hidden=4)
    return SYSTEMS[name](network.eval(), cast(Detector, Echo()), image), backbone.seen


@pytest.mark.parametrize("name", SYSTEMS)
def test_gives_boxes_as_shares_of_the_image_and_what_they_took(name: str, image: Tensor) -> None:
    timed, _ = run(name, image)
    boxes, scores = timed.found
    assert len(boxes) == len(scores) > 0
    assert boxes.min() >= 0
    assert boxes.max() <= 1 + 1e-6
    assert timed.proposing > 0
    assert timed.rest > 0


def test_the_backbone_looks_once_or_at_every_proposal(image: Tensor) -> None:
    count = len(Proposals().propose(image[None])[0])
    assert count > 1
    for name in ("Fast R-CNN", "Faster R-CNN"):
        assert run(name, image)[1] == [(1, 3, 96, 128)]
    timed, seen = run("R-CNN", image)
    assert timed.proposals == run("Fast R-CNN", image)[0].proposals == count
    assert {shape[1:] for shape in seen} == {(3, CROP, CROP)}
    assert sum(shape[0] for shape in seen) == count


def test_rcnn_puts_what_is_found_in_a_crop_back_into_the_image(image: Tensor) -> None:
    (boxes, scores), *_ = run("R-CNN", image)[0]
    square = torch.tensor([32 / 128, 24 / 96, 80 / 128, 72 / 96])
    assert torch.allclose(boxes[scores.argmax()], square, atol=0.02)
