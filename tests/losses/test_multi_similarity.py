"""The multi-similarity loss, anchor by anchor."""

from __future__ import annotations

import pytest
import torch
from losses.twins import Batch, agrees, cosine, every_batch, mean, rows_of
from torch import Tensor

from deepret.losses.multi_similarity import MultiSimilarity


def slow(batch: Batch, alpha: float, beta: float, base: float) -> Tensor:
    found = []
    for a, anchor in enumerate(batch.anchors):
        near = [torch.exp(-alpha * (cosine(anchor, batch.references[p]) - base)) for p in rows_of(batch.positives[a])]
        far = [torch.exp(beta * (cosine(anchor, batch.references[n]) - base)) for n in rows_of(batch.negatives[a])]
        if near or far:
            one = torch.ones((), dtype=torch.float64)
            found.append(torch.log(sum(near, one)) / alpha + torch.log(sum(far, one)) / beta)
    return mean(found)


@every_batch
@pytest.mark.parametrize("settings", [(2.0, 50.0, 0.5), (1.0, 10.0, -0.2)])
def test_agrees_with_loops(batch: Batch, settings: tuple[float, float, float]) -> None:
    agrees(MultiSimilarity(*settings), lambda b: slow(b, *settings), batch)
