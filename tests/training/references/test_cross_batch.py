"""Cross-batch memory against a plain list of what has been seen."""

from __future__ import annotations

import pytest
import torch

from deepret.training.references.batch import WholeBatch
from deepret.training.references.cross_batch import CrossBatchMemory


def batch(step: int, count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    return torch.randn(count, 3, generator=random, requires_grad=True), torch.arange(count) + 10 * step


@pytest.mark.parametrize("size", [1, 5, 8, 100])
@pytest.mark.parametrize("start", [0, 2])
def test_remembers_the_latest_codes(size: int, start: int) -> None:
    memory = CrossBatchMemory(size, start)
    seen: list[tuple[list[float], int]] = []
    for step in range(5):
        codes, labels = batch(step, count=2 + step % 3)
        references, names = memory(codes, labels)
        latest = seen[-size:] if step >= start else []
        assert references.tolist() == codes.tolist() + [code for code, _ in latest]
        assert names.tolist() == labels.tolist() + [label for _, label in latest]
        seen += list(zip(codes.tolist(), labels.tolist(), strict=True))


def test_the_batch_has_a_gradient_and_the_memory_none() -> None:
    memory = CrossBatchMemory()
    first, second = batch(0), batch(1)
    memory(*first)
    references, _ = memory(*second)
    references.sum().backward()
    assert first[0].grad is None
    assert torch.equal(second[0].grad, torch.ones(4, 3))  # type: ignore[arg-type]


def test_is_a_part_of_the_state() -> None:
    memory, other = CrossBatchMemory(6, 1), CrossBatchMemory(6, 1)
    for step in range(3):
        memory(*batch(step))
    other.load_state_dict(memory.state_dict())
    for one, two in zip(memory(*batch(3)), other(*batch(3)), strict=True):
        assert torch.equal(one, two)


def test_the_batch_alone_is_the_batch() -> None:
    codes, labels = batch(0)
    assert WholeBatch()(codes, labels) == (codes, labels)
