"""Batch-hard mining against loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepret.losses.triplet import Triplet
from deepret.training.mining.hardest import Hardest


@given(
    seed=st.integers(0, 10_000),
    anchors=st.integers(1, 6),
    references=st.integers(1, 8),
    share=st.sampled_from([0.1, 0.3, 0.5]),
)
def test_agrees_with_loops(seed: int, anchors: int, references: int, share: float) -> None:
    random = torch.Generator().manual_seed(seed)
    a, r = (torch.randn(n, 4, generator=random, dtype=torch.float64) for n in (anchors, references))
    kind = torch.rand(anchors, references, generator=random)
    masks = kind < share, kind > 1 - share
    rows, *found = Hardest().select(a, r, *masks)
    assert rows.tolist() == list(range(anchors))
    for mask, chosen, hardest in zip(masks, found, (max, min), strict=True):
        assert chosen.shape == mask.shape
        for i in range(anchors):
            lengths = {j: float((a[i] - r[j]).norm()) for j in range(references) if mask[i, j]}
            wanted = [hardest(lengths, key=lengths.__getitem__)] if lengths else []
            assert chosen[i].nonzero()[:, 0].tolist() == wanted


def test_its_loss_is_that_of_the_paper() -> None:
    """Σ_a max(0, m + max_p d(a, p) − min_n d(a, n)), here squared distances and a half."""
    codes = torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(4).repeat_interleave(3)
    same = labels[:, None] == labels
    rows, *masks = Hardest().select(codes, codes, same & ~torch.eye(12, dtype=torch.bool), ~same)
    squared = (codes[:, None] - codes).square().sum(2)
    wanted = 0.0
    for i in range(12):
        near = max(float(squared[i, j]) for j in range(12) if j != i and labels[j] == labels[i])
        far = min(float(squared[i, j]) for j in range(12) if labels[j] != labels[i])
        wanted += 0.5 * max(0.0, 0.3 + near - far)
    assert float(Triplet(0.3, "sum")(codes[rows], codes, *masks)) == pytest.approx(wanted)
