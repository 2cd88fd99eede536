"""How many of the true boxes a set of proposals finds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

TRUE_CANDIDATES = 4000
"""True boxes that may become fixed ones; of more, so many are taken evenly."""
BLOCK = 256
"""Candidates whose overlaps are computed at once: bounds the memory."""


def recall(found: Sequence[Tensor], truth: Sequence[Tensor], overlap: float = 0.7) -> float:
    """The share of the true boxes that some proposal overlaps by IoU ≥ ``overlap``; nan where there is no true box.

    Args:
        found: for each image its proposals (n, 4).
        truth: for each image its true boxes (k, 4), in the same units.
        overlap: the least IoU.
    """
    hits = [
        box_iou(true, boxes).amax(dim=1) >= overlap if len(boxes) else torch.zeros(len(true), dtype=torch.bool)
        for boxes, true in zip(found, truth, strict=True)
    ]
    joined = torch.cat(hits) if hits else torch.zeros(0)
    return float(joined.float().mean())


def best_fixed_boxes(truth: Sequence[Tensor], count: int, overlap: float = 0.7, steps: int = 10) -> Tensor:
    """The boxes that, laid on every image alike, find most of the true ones: the baseline of learned proposals.

    Candidates are the true boxes themselves and all boxes between the lines that cut each side into ``steps``; they are
    taken greedily, each time the one that finds most of what is not found yet, until everything is found.

    Args:
        truth: for each image its true boxes (k, 4), as shares of the image's sides: IoU is the same in any unit.
        count: boxes to choose, at most.
        overlap: the least IoU.
        steps: parts of a side.

    Returns:
        boxes (n, 4) as shares of the sides, n ≤ ``count``, the most useful first.
    """
    true = torch.cat([torch.zeros(0, 4), *truth])
    spans = torch.combinations(torch.linspace(0, 1, steps + 1))
    across, down = spans.repeat(len(spans), 1), spans.repeat_interleave(len(spans), dim=0)
    grid = torch.stack([across[:, 0], down[:, 0], across[:, 1], down[:, 1]], dim=1)
    some = torch.linspace(0, len(true) - 1, min(len(true), TRUE_CANDIDATES)).long()
    candidates = torch.cat([true[some], grid])
    finds = torch.cat([box_iou(block, true) >= overlap for block in torch.split(candidates, BLOCK)])
    left = torch.ones(len(true), dtype=torch.bool)
    chosen: list[int] = []
    while len(chosen) < count and left.any():
        best = int((finds & left).sum(dim=1).argmax())
        if not (finds[best] & left).any():  # what is left has no area
            break
        chosen.append(best)
        left &= ~finds[best]
    return candidates[chosen]
