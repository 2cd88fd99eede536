"""The lifted structured loss, pair by pair."""

from __future__ import annotations

import pytest
import torch
from losses.twins import Batch, agrees, every_batch, mean, rows_of, whole
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import LiftedStructureLoss
from torch import Tensor

from deepret.losses.lifted_structure import LiftedStructure


def slow(batch: Batch, margin: float) -> Tensor:
    found = []
    for a, anchor in enumerate(batch.anchors):
        for p in rows_of(batch.positives[a]):
            positive, others = batch.references[p], batch.references[batch.negatives[a]]
            apart = [margin - (end - other).norm() for end in (anchor, positive) for other in others]
            if apart:
                lifted = torch.log(torch.stack(apart).exp().sum()) + (anchor - positive).norm()
                found.append(torch.clamp(lifted, min=0) ** 2 / 2)
    return mean(found)


@every_batch
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_agrees_with_loops(batch: Batch, margin: float) -> None:
    batch = distinct(batch)
    agrees(LiftedStructure(margin), lambda b: slow(b, margin), batch)


def distinct(batch: Batch) -> Batch:
    """No two codes are the same, where the twin's distance has no gradient."""
    random = torch.Generator().manual_seed(9)
    return batch._replace(references=batch.references + 0.1 * torch.rand(batch.references.shape, generator=random))


def test_agrees_with_pytorch_metric_learning_on_a_whole_batch() -> None:
    batch = whole(16, spread=0.3)
    wanted = LiftedStructureLoss(distance=LpDistance(normalize_embeddings=False))(batch.anchors, batch.labels)
    torch.testing.assert_close(LiftedStructure()(*batch), wanted, rtol=1e-9, atol=0)


def test_codes_that_are_the_same_have_a_gradient_that_is_a_number() -> None:
    batch = whole(6)
    codes = torch.ones(6, 5, requires_grad=True)
    LiftedStructure()(codes, codes, batch.positives, batch.negatives).backward()
    assert codes.grad is not None
    assert torch.isfinite(codes.grad).all()
