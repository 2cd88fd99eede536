"""The circle loss, anchor by anchor."""

from __future__ import annotations

import pytest
import torch
from losses.twins import Batch, agrees, cosine, every_batch, mean, rows_of
from torch import Tensor

from deepret.losses.circle import Circle


def slow(batch: Batch, m: float, scale: float) -> Tensor:
    found = []
    for a, anchor in enumerate(batch.anchors):
        near, far = [], []
        for p in rows_of(batch.positives[a]):
            s = cosine(anchor, batch.references[p])
            near.append(torch.exp(-scale * max(0.0, 1 + m - float(s.detach())) * (s - 1 + m)))
        for n in rows_of(batch.negatives[a]):
            s = cosine(anchor, batch.references[n])
            far.append(torch.exp(scale * max(0.0, float(s.detach()) + m) * (s - m)))
        if near and far:
            found.append(torch.log(1 + torch.stack(far).sum() * torch.stack(near).sum()))
    return mean(found)


@every_batch
@pytest.mark.parametrize("settings", [(0.4, 80.0), (0.25, 5.0)])
def test_agrees_with_loops(batch: Batch, settings: tuple[float, float]) -> None:
    agrees(Circle(*settings), lambda b: slow(b, *settings), batch)
