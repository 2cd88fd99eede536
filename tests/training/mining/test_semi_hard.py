from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepret.losses.triplet import Triplet
from deepret.training.mining.semi_hard import SemiHard


def slow_semi_hard(
    anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, margin: float
) -> list[tuple[int, int, set[int]]]:
    """For each anchor and positive, the negatives between the positive and the positive plus the margin."""
    found = []
    for a in range(len(anchors)):
        for p in range(len(references)):
            if positives[a, p]:
                near = float(((anchors[a] - references[p]) ** 2).sum())
                far = [float(((anchors[a] - reference) ** 2).sum()) for reference in references]
                kept = {n for n, d in enumerate(far) if negatives[a, n] and near < d < near + margin}
                found.append((a, p, kept))
    return found


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    anchors=st.integers(1, 6),
    references=st.integers(1, 8),
    margin=st.sampled_from([0.05, 0.5, 3.0]),
)
def test_agrees_with_loops(seed: int, anchors: int, references: int, margin: float) -> None:
    random = torch.Generator().manual_seed(seed)
    a, r = (F.normalize(torch.randn(n, 4, generator=random, dtype=torch.float64), dim=1) for n in (anchors, references))
    kind = torch.rand(anchors, references, generator=random)
    rows, positives, negatives = SemiHard(margin).select(a, r, kind < 0.4, kind > 0.5)
    found = [
        (int(row), int(positive.nonzero()), set(negative.nonzero()[:, 0].tolist()))
        for row, positive, negative in zip(rows, positives, negatives, strict=True)
    ]
    assert found == slow_semi_hard(a, r, kind < 0.4, kind > 0.5, margin)


def test_leaves_out_harder_and_easier_ones() -> None:
    line = torch.tensor([[0.0], [1.0], [0.5], [1.01], [1.2]])  # anchor, positive, harder, semi-hard, easy
    positives, negatives = torch.zeros(2, 1, 5, dtype=torch.bool).unbind()
    positives[0, 1] = True
    negatives[0, 2:] = True
    rows, chosen, others = SemiHard(margin=0.1).select(line[:1], line, positives, negatives)
    assert rows.tolist() == [0]
    assert chosen.tolist() == [[False, True, False, False, False]]
    assert others.tolist() == [[False, False, False, True, False]]


def test_every_chosen_triplet_has_a_loss_below_half_the_margin() -> None:
    codes = F.normalize(torch.randn(24, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = torch.arange(6).repeat_interleave(4)
    same = labels[:, None] == labels
    rows, positives, negatives = SemiHard(0.3).select(codes, codes, same & ~torch.eye(24, dtype=torch.bool), ~same)
    losses = Triplet(0.3).losses(codes[rows], codes, positives, negatives)[negatives]
    assert len(losses) > 0
    assert losses.min() > 0
    assert losses.max() < 0.15


def test_chooses_the_same_under_autocast() -> None:
    codes = F.normalize(torch.randn(40, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = torch.arange(10).repeat_interleave(4)
    same = labels[:, None] == labels
    masks = same & ~torch.eye(40, dtype=torch.bool), ~same
    plain = SemiHard(0.1).select(codes, codes, *masks)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = SemiHard(0.1).select(codes, codes, *masks)
    assert plain[2].any()
    assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))


@pytest.mark.parametrize("kind", ["no positive", "no negative"])
def test_nothing_to_choose_gives_a_loss_of_zero(kind: str) -> None:
    codes = torch.randn(4, 3, requires_grad=True)
    mask, none = ~torch.eye(4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    positives, negatives = (none, mask) if kind == "no positive" else (mask, none)
    rows, positives, negatives = SemiHard(0.1).select(codes, codes, positives, negatives)
    loss = Triplet(0.1)(codes[rows], codes, positives, negatives)
    loss.backward()
    assert loss.item() == 0
    assert codes.grad is not None
