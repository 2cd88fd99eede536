"""Smooth-AP, rank by rank."""

from __future__ import annotations

import pytest
import torch
from losses.twins import Batch, agrees, cosine, every_batch, mean, rows_of, whole
from sklearn.metrics import average_precision_score
from torch import Tensor

from deepret.losses.smooth_ap import SmoothAP


def slow(batch: Batch, temperature: float) -> Tensor:
    found = []
    for a, anchor in enumerate(batch.anchors):
        near, far = rows_of(batch.positives[a]), rows_of(batch.negatives[a])
        s = [cosine(anchor, r) for r in batch.references]
        precisions = []
        for i in near:
            before = {j: torch.sigmoid((s[j] - s[i]) / temperature) for j in near + far if j != i}
            first = 1 + sum(before[j] for j in near if j != i)
            precisions.append(first / (first + sum(before[j] for j in far)) * torch.ones((), dtype=torch.float64))
        if near:
            found.append(1 - mean(precisions))
    return mean(found)


@every_batch
@pytest.mark.parametrize("temperature", [0.01, 0.2])
def test_agrees_with_loops(batch: Batch, temperature: float) -> None:
    agrees(SmoothAP(temperature), lambda b: slow(b, temperature), batch)


def test_cold_enough_it_is_average_precision() -> None:
    batch = whole(14, memory=10, seed=3)
    similar = batch.anchors @ batch.references.T
    wanted = []
    for scores, near, far in zip(similar, batch.positives, batch.negatives, strict=True):
        if near.any():
            searched = near | far
            wanted.append(1 - average_precision_score(near[searched], scores[searched]))
    assert 0.05 < sum(wanted) / len(wanted) < 0.9
    assert float(SmoothAP(1e-7)(*batch)) == pytest.approx(sum(wanted) / len(wanted), abs=1e-6)
