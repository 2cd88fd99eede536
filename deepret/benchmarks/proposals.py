"""How many of the true boxes a set of proposals finds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou


def recall(found: Sequence[Tensor], truth: Sequence[Tensor], overlap: float = 0.7) -> float:
    """The share of the true boxes that some proposal overlaps by IoU ≥ ``overlap``; nan where there is no true box.

    Args:
        found: for each image its proposals (n, 4).
        truth: for each image its true boxes (k, 4), in the same units.
        overlap: the least IoU.
    """
    hits = [box_iou(t, f).amax(dim=1) >= overlap if len(f) else torch.zeros(len(t)).bool() for f, t in zip(found, truth, strict=True) if len(t)]
    return float(torch.cat(hits).float().mean()) if hits else float("nan")


def best_fixed_boxes(truth: Sequence[Tensor], count: int, overlap: float = 0.7, steps: int = 10) -> Tensor:
    """The ``count`` boxes that, laid on every image alike, find most of the true ones: the baseline of learned proposals.

    Candidates are the true boxes themselves and all boxes between ``steps`` lines a side; they are taken greedily, each
    time the one that finds most boxes not found yet.

    Args:
        truth: for each image its true boxes (k, 4), as shares of the image's sides.
        count: boxes to choose.
        overlap: the least IoU.
        steps: lines a side.

    Returns:
        boxes (count, 4) as shares of the sides.
    """
    true = torch.cat([t for t in truth if len(t)])
    lines = torch.linspace(0, 1, steps + 1)
    pairs = torch.combinations(lines, 2)
    grid = torch.stack([pairs[:, None, 0].expand(-1, len(pairs)), pairs[None, :, 0].expand(len(pairs), -1),
                        pairs[:, None, 1].expand(-1, len(pairs)), pairs[None, :, 1].expand(len(pairs), -1)], dim=-1)  # fmt: skip
    candidates = torch.cat([true, grid.reshape(-1, 4)])
    covers = box_iou(candidates, true) >= overlap
    left = torch.ones(len(true), dtype=torch.bool)
    chosen = []
    for _ in range(count):
        best = int((covers & left).sum(dim=1).argmax())
        chosen.append(candidates[best])
        left &= ~covers[best]
    return torch.stack(chosen)
