"""The contrastive loss, pair by pair."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from losses.twins import Batch, agrees, every_batch, one_triplet, rows_of, whole
from torch import Tensor

from deepret.losses.contrastive import Contrastive

Reduction = Literal["active", "mean", "sum"]


def slow(batch: Batch, margin: float, reduction: Reduction) -> Tensor:
    near, far = [], []
    for a, anchor in enumerate(batch.anchors):
        near += [0.5 * (anchor - batch.references[p]).square().sum() for p in rows_of(batch.positives[a])]
        for n in rows_of(batch.negatives[a]):
            distance = (anchor - batch.references[n]).norm()
            far.append(0.5 * torch.clamp(margin - distance, min=0) ** 2)
    zero = torch.zeros((), dtype=torch.float64)
    if reduction == "active":
        return sum((torch.stack(k).sum() / max(sum(int(x > 0) for x in k), 1) for k in (near, far) if k), zero)
    total = sum(near + far, zero)
    return total if reduction == "sum" else total / max(len(near + far), 1)


@every_batch
@pytest.mark.parametrize("reduction", ["active", "mean", "sum"])
@pytest.mark.parametrize("margin", [0.3, 0.7, 1.5])
def test_agrees_with_a_loop_over_pairs(batch: Batch, margin: float, reduction: Reduction) -> None:
    agrees(Contrastive(margin, reduction), lambda b: slow(b, margin, reduction), batch)


def test_by_hand() -> None:
    """D² = .4 to the positive, D = √.8 to the negative."""
    found = Contrastive(margin=1.0, reduction="sum")(*one_triplet())
    assert float(found) == pytest.approx(0.5 * 0.4 + 0.5 * (1 - 0.8**0.5) ** 2)


def test_codes_that_are_the_same_have_no_gradient_that_is_no_number() -> None:
    batch = whole(6)
    codes = torch.ones(6, 5, dtype=torch.float64, requires_grad=True)
    Contrastive()(codes, codes, batch.positives, batch.negatives).backward()
    assert codes.grad is not None
    assert torch.equal(codes.grad, torch.zeros_like(codes))


def test_active_negatives_are_those_within_the_margin() -> None:
    batch = whole(8)
    lengths = [
        float((batch.anchors[a] - batch.references[n]).norm()) for a in range(8) for n in rows_of(batch.negatives[a])
    ]
    wanted = sum(x < 1.2 for x in lengths) / len(lengths)
    assert 0 < wanted < 1
    assert float(Contrastive(1.2).statistics(*batch)["active negatives"]) == pytest.approx(wanted)
