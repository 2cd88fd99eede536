from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepret.benchmarks import proposals
from deepret.benchmarks.proposals import best_fixed_boxes, recall


def iou(a: list[float], b: list[float]) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either if either else 0.0


def slow_recall(found: list[Tensor], truth: list[Tensor], overlap: float) -> float:
    hits, count = 0, 0
    for boxes, true in zip(found, truth, strict=True):
        for t in true.tolist():
            count += 1
            hits += any(iou(t, b) >= overlap for b in boxes.tolist())
    return hits / count if count else math.nan


def slow_fixed_boxes(true: list[list[float]], count: int, overlap: float, steps: int) -> list[list[float]]:
    """Greedy, one candidate after the other."""
    lines = [i / steps for i in range(steps + 1)]
    grid = [[a, b, c, d] for b in lines for d in lines if d > b for a in lines for c in lines if c > a]
    candidates, left, chosen = true + grid, list(true), []
    while left and len(chosen) < count:
        gains = [sum(iou(c, t) >= overlap for t in left) for c in candidates]
        best = candidates[gains.index(max(gains))]
        chosen.append(best)
        left = [t for t in left if iou(best, t) < overlap]
    return chosen


sixteenths = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 8), st.integers(1, 8)).map(
    lambda box: [box[0] / 16, box[1] / 16, (box[0] + box[2]) / 16, (box[1] + box[3]) / 16]
)
images = st.lists(st.lists(sixteenths, max_size=4), max_size=5)


def tensors(lists: list[list[list[float]]]) -> list[Tensor]:
    return [torch.tensor(boxes).reshape(-1, 4) for boxes in lists]


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(sixteenths, max_size=4), st.lists(sixteenths, max_size=4)), max_size=5))
def test_recall_agrees_with_loops(pairs: list[tuple[list[list[float]], list[list[float]]]]) -> None:
    found, truth = tensors([f for f, _ in pairs]), tensors([t for _, t in pairs])
    for overlap in (0.45, 0.72):
        wanted = slow_recall(found, truth, overlap)
        assert recall(found, truth, overlap) == pytest.approx(wanted, nan_ok=True)


def test_recall_counts_boxes_and_not_images() -> None:
    box, far = [0.0, 0.0, 4.0, 4.0], [10.0, 10.0, 12.0, 12.0]
    truth = tensors([[box, far, far], [box]])
    assert recall(tensors([[box], [box]]), truth) == 0.5
    assert recall(tensors([[], []]), truth) == 0.0


def test_recall_takes_the_least_overlap_itself() -> None:
    assert recall(tensors([[[0.0, 0.0, 1.0, 3.0]]]), tensors([[[0.0, 0.0, 1.0, 4.0]]]), 0.75) == 1.0


@settings(deadline=None, max_examples=25)
@given(images, st.integers(1, 6))
def test_fixed_boxes_agree_with_loops(truth: list[list[list[float]]], count: int) -> None:
    found = best_fixed_boxes(tensors(truth), count, 0.55, steps=4)
    wanted = slow_fixed_boxes([box for boxes in truth for box in boxes], count, 0.55, 4)
    torch.testing.assert_close(found, torch.tensor(wanted).reshape(-1, 4))


def test_fixed_boxes_find_two_kinds_with_two_boxes() -> None:
    random = torch.Generator().manual_seed(0)
    kinds = torch.tensor([[0.1, 0.2, 0.5, 0.9], [0.4, 0.1, 0.9, 0.5]])
    truth = [kinds[i % 2 :][:1] + 0.02 * torch.rand(1, 4, generator=random) for i in range(40)]
    fixed = best_fixed_boxes(truth, 2)
    assert recall([fixed] * 40, truth) == 1.0
    assert recall([fixed[:1]] * 40, truth) == 0.5


def test_fixed_boxes_of_many_images_are_chosen_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "TRUE_CANDIDATES", 10)
    monkeypatch.setattr(proposals, "BLOCK", 7)
    truth = [torch.tensor([[0.1, 0.1, 0.8, 0.9]])] * 50
    assert best_fixed_boxes(truth, 3).tolist() == truth[0].tolist()


def test_no_boxes_give_none() -> None:
    assert best_fixed_boxes([torch.zeros(0, 4)], 5).shape == (0, 4)
    assert math.isnan(recall([torch.zeros(0, 4)], [torch.zeros(0, 4)]))
    assert math.isnan(recall([], []))
