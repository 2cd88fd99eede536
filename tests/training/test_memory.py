"""Codes computed again, micro-batch by micro-batch, against one plain pass over the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from deepret.losses.triplet import Triplet
from deepret.training.memory import recomputed

SHAPES = [(5, 3, 12, 16), (3, 3, 16, 12), (4, 3, 12, 12)]


class Describer(nn.Module):
    """A small convolutional descriptor, with a block that may compute its activations again by itself."""

    def __init__(self, dropout: float = 0.0, checkpointed: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3)
        self.block = nn.Sequential(nn.Conv2d(8, 12, 3), nn.Tanh(), nn.Conv2d(12, 12, 3, bias=False))
        self.idle = nn.Linear(2, 2)
        self.dropout = nn.Dropout(dropout)
        self.checkpointed = checkpointed

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.tanh(self.stem(images))
        maps = checkpoint(self.block, maps, use_reentrant=False) if self.checkpointed else self.block(maps)
        return F.normalize(self.dropout(maps).amax(dim=(2, 3)).to(images.dtype), dim=1)


def batches(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=random, dtype=dtype) for shape in SHAPES]


def split(parts: list[Tensor], size: int) -> list[Tensor]:
    return [images for part in parts for images in part.split(size)]


def learn(codes: Tensor, model: nn.Module) -> list[Tensor | None]:
    """The gradient of a ranking loss of all codes."""
    labels = torch.arange(len(codes)) // 3
    same = labels[:, None] == labels
    loss = Triplet(0.5)(codes, codes, same & ~torch.eye(len(codes), dtype=torch.bool), ~same)
    assert loss > 0.01
    model.zero_grad()
    loss.backward()
    return [p.grad for p in model.parameters()]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_gradients_are_those_of_the_whole_batch(size: int, checkpointed: bool) -> None:
    model = Describer(checkpointed=checkpointed).double()
    plain = torch.cat([model(part) for part in batches()])
    wanted = learn(plain, model)
    codes = recomputed(model, split(batches(), size), list(model.parameters()))
    torch.testing.assert_close(codes, plain, rtol=0, atol=1e-12)
    found = learn(codes, model)
    assert [g is None for g in found] == [g is None for g in wanted]
    for one, other in zip(found, wanted, strict=True):
        if other is not None:
            assert other.abs().max() > 1e-4
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_micro_batch_alone_is_not_the_whole_batch() -> None:
    """So the comparison can fail: adding up the losses of micro-batches is another gradient."""
    model = Describer().double()
    wanted = learn(torch.cat([model(part) for part in batches()]), model)[0]
    apart = torch.zeros_like(wanted)  # type: ignore[arg-type]
    for part in (batches()[0][:4], batches()[0][1:5]):
        apart += learn(model(part), model)[0]  # type: ignore[operator]
    assert (apart - wanted).norm() > 0.1 * wanted.norm()  # type: ignore[operator, union-attr]


def test_the_order_of_codes_is_the_images() -> None:
    """Rows are taken in another order afterwards, as a step does."""
    model = Describer().double()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    wanted = learn(torch.cat([model(part) for part in batches()])[order], model)
    found = learn(recomputed(model, split(batches(), 2), list(model.parameters()))[order], model)
    torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=1e-12)


def test_both_passes_see_the_same_random_numbers() -> None:
    """One micro-batch of the whole: dropout draws what a plain pass draws, and goes on from there."""
    model = Describer(dropout=0.5).double()
    images = batches()[0]
    torch.manual_seed(3)
    wanted = learn(model(images), model)
    after = torch.rand(1)
    torch.manual_seed(3)
    found = learn(recomputed(model, [images], list(model.parameters())), model)
    assert torch.equal(torch.rand(1), after)
    torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=1e-12)


def test_both_passes_see_the_same_autocast() -> None:
    """bfloat16 in both; what is computed later under the same autocast keeps its gradient."""
    model = Describer()
    parts = batches(torch.float32)

    def step(describe: Callable[[], Tensor]) -> tuple[list[Any], Tensor]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            codes = describe()
            more = model(parts[0]).sum()
        found = learn(codes, model)
        model.zero_grad()
        more.backward()
        return found, model.stem.weight.grad.clone()  # type: ignore[union-attr]

    wanted, wanted_more = step(lambda: torch.cat([model(part) for part in parts]))
    found, found_more = step(lambda: recomputed(model, split(parts, 1), list(model.parameters())))
    exact = learn(torch.cat([model(part) for part in parts]), model)
    for one, other, float32 in zip(found, wanted, exact, strict=True):
        if other is not None:
            assert (one - other).norm() < 0.05 * other.norm()
            assert (one - float32).norm() > 1e-3 * float32.norm()  # type: ignore[union-attr, operator]
    torch.testing.assert_close(found_more, wanted_more, rtol=1e-5, atol=1e-6)


def test_activations_of_one_micro_batch_are_kept() -> None:
    """Counted by what autograd saves for backward at any time."""
    model = Describer().double()
    images = torch.randn(16, 3, 24, 24, dtype=torch.float64)

    def most_saved(describe: Callable[[], Tensor]) -> int:
        alive, most = 0, 0

        class Saved:
            def __init__(self, value: Tensor) -> None:
                nonlocal alive, most
                self.value, self.size = value, value.numel()
                alive += self.size
                most = max(most, alive)

            def __del__(self) -> None:
                nonlocal alive
                alive -= self.size

        with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.value):
            learn(describe(), model)
        return most

    plain = most_saved(lambda: model(images))
    one = most_saved(lambda: recomputed(model, list(images.split(1)), list(model.parameters())))
    assert one < plain / 8
