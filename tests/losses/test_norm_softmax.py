"""The normalised softmax, one image after the other."""

from __future__ import annotations

import pytest
import torch
from losses.twins import CLASSES, Batch, agrees, cosine, every_batch, mean, trained
from torch import Tensor

from deepret.losses.norm_softmax import NormSoftmax


def slow(batch: Batch, weights: Tensor, temperature: float) -> Tensor:
    found = []
    for code, label in zip(batch.anchors, batch.labels.tolist(), strict=True):
        logits = [cosine(code, weight) / temperature for weight in weights]
        found.append(-torch.log_softmax(torch.stack(logits), 0)[CLASSES.tolist().index(label)])
    return mean(found)


@every_batch
@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_agrees_with_loops(batch: Batch, temperature: float) -> None:
    loss = trained(NormSoftmax(CLASSES, 5, temperature))
    [weights] = loss.parameters()
    agrees(loss, lambda b: slow(b, weights.T, temperature), batch)
