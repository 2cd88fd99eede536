from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

from deepret.benchmarks.detection import coco, voc2007
from deepret.models.detector.roi_heads import Detections


def slow_voc2007(found: list[Detections], truth: list[Tensor], overlap: float) -> float:
    """As the rule is written: one list of all detections, one loop over it, eleven recalls."""
    everything = [
        (float(score), image, box)
        for image, (boxes, scores) in enumerate(found)
        for box, score in zip(boxes, scores, strict=True)
    ]
    everything.sort(key=lambda one: -one[0])
    taken, curve, right = set(), [], 0
    for number, (_, image, box) in enumerate(everything, 1):
        overlaps = [float(box_iou(box[None], true[None])) for true in truth[image]]
        best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
        if best is not None and overlaps[best] >= overlap and (image, best) not in taken:
            taken.add((image, best))
            right += 1
        curve.append((right / sum(map(len, truth)), right / number))
    total = 0.0
    for step in range(11):
        total += max((precision for recall, precision in curve if recall >= step / 10 - 1e-9), default=0.0) / 11
    return total


def drawn(counts: list[int], seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corners = [torch.rand(count, 2, 2, generator=generator) * 3 for count in counts]
    return [torch.cat([c.amin(1), c.amax(1) + 0.5], dim=1) for c in corners]


@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=3),
    st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any),
    st.integers(0, 99),
    st.sampled_from([0.3, 0.5]),
)
def test_voc2007_agrees_with_loops(detected: list[int], there: list[int], seed: int, overlap: float) -> None:
    boxes, truth = drawn(detected, seed), drawn(there, seed + 1)
    scores = torch.rand(sum(detected), generator=torch.Generator().manual_seed(seed)).split(detected)
    found = [Detections(*pair) for pair in zip(boxes, scores, strict=True)]
    assert voc2007(found, truth, overlap) == pytest.approx(slow_voc2007(found, truth, overlap), abs=1e-9)


BOXES = torch.tensor([[0.0, 0.0, 100.0, 100.0], [200.0, 0.0, 300.0, 100.0]])


def test_all_found_is_one_by_both_rules_and_nothing_is_zero() -> None:
    perfect, none = Detections(BOXES, torch.tensor([0.9, 0.8])), Detections(BOXES[:0], torch.zeros(0))
    assert voc2007([perfect], [BOXES]) == 1.0
    assert coco([perfect], [BOXES]) == pytest.approx({"mAP": 1.0, "mAP@0.5": 1.0, "mAP@0.75": 1.0}, abs=1e-6)
    assert voc2007([none], [BOXES]) == 0.0
    assert math.isnan(voc2007([perfect], [BOXES[:0]]))


def test_a_box_found_twice_counts_once() -> None:
    twice = Detections(BOXES[[0, 0, 1]], torch.tensor([0.9, 0.8, 0.7]))
    assert voc2007([twice], [BOXES]) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_a_box_that_is_a_little_off_is_right_for_voc_and_half_right_for_coco() -> None:
    moved = Detections(BOXES + torch.tensor([16.0, 0.0, 16.0, 0.0]), torch.tensor([0.9, 0.8]))  # IoU 0.724
    assert voc2007([moved], [BOXES]) == 1.0
    found = coco([moved], [BOXES])
    assert found["mAP@0.5"] == pytest.approx(1.0, abs=1e-6)
    assert found["mAP@0.75"] == pytest.approx(0.0, abs=1e-6)
    assert found["mAP"] == pytest.approx(0.5, abs=1e-6)  # 0.50, 0.55, …, 0.70 of ten
