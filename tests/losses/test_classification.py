"""Softmax over classes against the textbook's, one image after the other."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepret.losses.classification import Classification

CLASSES = torch.tensor([2, 5, 6, 9])
MASK = torch.zeros(0, 0, dtype=torch.bool)


def made(length: int = 8, seed: int = 0, **settings: Any) -> Classification:
    """A loss whose layer has learned something."""
    loss = Classification(CLASSES, length, **settings).double()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in loss.parameters():
            part.copy_(torch.randn(part.shape, generator=random, dtype=torch.float64))
    return loss


def codes_of(count: int, length: int = 8, seed: int = 1) -> Tensor:
    return F.normalize(torch.randn(count, length, generator=torch.Generator().manual_seed(seed)).double(), dim=1)


def slow(loss: Classification, codes: Tensor, labels: list[int]) -> float:
    """−log of the softmax at the label, and of all classes by the smoothing's share; the mean over images."""
    total = 0.0
    for code, label in zip(codes.tolist(), labels, strict=True):
        logits = [
            loss.scale * (sum(w * x for w, x in zip(row, code, strict=True)) + b)
            for row, b in zip(loss.weight.tolist(), loss.bias.tolist(), strict=True)
        ]
        norm = math.log(sum(map(math.exp, logits)))
        wanted = [loss.smoothing / len(CLASSES) + (1 - loss.smoothing) * (c == label) for c in CLASSES.tolist()]
        total += sum(share * (norm - logit) for share, logit in zip(wanted, logits, strict=True))
    return total / len(labels)


@given(
    labels=st.lists(st.sampled_from(CLASSES.tolist()), min_size=1, max_size=7),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    scale=st.floats(0.5, 20),
    seed=st.integers(0, 99),
)
def test_equals_the_slow_one(labels: list[int], smoothing: float, scale: float, seed: int) -> None:
    loss, codes = made(seed=seed, smoothing=smoothing, scale=scale), codes_of(len(labels), seed=seed)
    found = loss(codes, codes, MASK, MASK, torch.tensor(labels)).detach()
    assert float(found) == pytest.approx(slow(loss, codes, labels), rel=1e-9)


def test_at_the_start_every_class_is_as_likely() -> None:
    loss = Classification(CLASSES, 8)
    codes = codes_of(5).float().requires_grad_()
    found = loss(codes, codes, MASK, MASK, torch.tensor([2, 5, 6, 9, 2]))
    assert float(found.detach()) == pytest.approx(math.log(4))
    found.backward()
    assert codes.grad is not None
    assert not codes.grad.any()
    assert loss.weight.grad is not None
    assert loss.weight.grad.abs().max() > 0


def test_its_gradient_is_that_of_the_definition() -> None:
    loss, codes = made(), codes_of(6).requires_grad_()
    labels = torch.tensor([2, 5, 6, 9, 2, 5])
    assert torch.autograd.gradcheck(lambda c: loss(c, c, MASK, MASK, labels), (codes,))


def test_codes_learn_to_be_told_apart() -> None:
    loss, labels = Classification(CLASSES, 8), CLASSES.repeat(3)
    codes = codes_of(12).float().requires_grad_()
    optimizer = torch.optim.Adam([codes, *loss.parameters()], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        loss(F.normalize(codes, dim=1), codes, MASK, MASK, labels).backward()
        optimizer.step()
    assert float(loss.statistics(F.normalize(codes, dim=1), codes, MASK, MASK, labels)["accuracy"]) == 1


def test_accuracy_is_the_share_that_is_told_right() -> None:
    loss, codes = made(), codes_of(9)
    right = CLASSES[(codes @ loss.weight.T + loss.bias).argmax(1)]
    labels = right.clone()
    labels[:3] = CLASSES[(torch.searchsorted(CLASSES, right[:3]) + 1) % 4]
    assert float(loss.statistics(codes, codes, MASK, MASK, labels)["accuracy"]) == pytest.approx(6 / 9)


def test_is_computed_in_float32_under_autocast() -> None:
    loss, codes, labels = made().float(), codes_of(8).float(), CLASSES.repeat(2)
    plain = loss(codes, codes, MASK, MASK, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(codes, codes, MASK, MASK, labels)
    assert found.dtype == torch.float32
    assert torch.equal(found, plain)


def test_nothing_to_learn_from_is_zero() -> None:
    loss, codes = made(), codes_of(0).requires_grad_()
    found = loss(codes, codes, MASK, MASK, torch.empty(0, dtype=torch.int64))
    assert float(found.detach()) == 0
    found.backward()
    assert loss.weight.grad is not None
    assert not loss.weight.grad.any()
