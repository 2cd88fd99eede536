"""CosFace, one image after the other."""

from __future__ import annotations

import pytest
import torch
from losses.twins import CLASSES, Batch, agrees, cosine, every_batch, mean, trained
from torch import Tensor

from deepret.losses.cosface import CosFace


def slow(batch: Batch, weights: Tensor, margin: float, scale: float) -> Tensor:
    found = []
    for code, label in zip(batch.anchors, batch.labels.tolist(), strict=True):
        pairs = zip(CLASSES.tolist(), weights, strict=True)
        logits = [scale * (cosine(code, weight) - margin * (name == label)) for name, weight in pairs]
        found.append(-torch.log_softmax(torch.stack(logits), 0)[CLASSES.tolist().index(label)])
    return mean(found)


@every_batch
@pytest.mark.parametrize(("margin", "scale"), [(0.35, 64.0), (1.0, 5.0), (0.0, 10.0)])
def test_agrees_with_loops(batch: Batch, margin: float, scale: float) -> None:
    loss = trained(CosFace(CLASSES, 5, margin, scale))
    [weights] = loss.parameters()
    agrees(loss, lambda b: slow(b, weights.T, margin, scale), batch)
