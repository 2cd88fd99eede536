"""What every loss of ``conf/loss`` has to do, whatever it learns by; a new file there is tested here, too."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from losses.twins import BATCHES, CLASSES, Batch, one_triplet, trained, whole
from torch import Tensor, nn

from deepret.config import compose, groups, resolve
from deepret.errors import UserError
from deepret.losses.classes import ClassBased
from deepret.parts import build
from deepret.training.mining.all import All
from deepret.training.mining.hardest import Hardest
from deepret.training.mining.semi_hard import SemiHard
from deepret.training.references.cross_batch import CrossBatchMemory

LOSSES = groups()["loss"]
every_loss = pytest.mark.parametrize("name", LOSSES)


@cache
def node(name: str) -> dict[str, Any]:
    found: dict[str, Any] = resolve(compose("train", [f"loss={name}"]))["loss"]
    return found


def made(name: str) -> nn.Module:
    loss: nn.Module = build(node(name), class_ids=CLASSES, code_length=5)
    return loss


CLASS_BASED = [name for name in LOSSES if isinstance(made(name), ClassBased)]


def gradients(loss: nn.Module, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    """The loss, and its gradients of anchors, references, and what the loss learns."""
    codes = [part.detach().clone().requires_grad_() for part in batch[:2]]
    found = loss(*codes, *batch[2:])
    return found, list(torch.autograd.grad(found, [*codes, *loss.parameters()], materialize_grads=True))


@every_loss
@pytest.mark.parametrize("kind", ["whole", "memory", "one triplet"])
def test_is_one_number_whose_gradient_reaches_the_codes(name: str, kind: str) -> None:
    loss = trained(made(name))
    found, (anchors, *_, last) = gradients(loss, BATCHES[kind])
    assert found.shape == ()
    assert found.dtype == torch.float64
    assert torch.isfinite(found)
    if kind != "one triplet" or isinstance(loss, ClassBased):  # which some losses have nothing to say of
        assert anchors.abs().max() > 1e-6
        assert not list(loss.parameters()) or last.abs().max() > 1e-6


@every_loss
def test_the_order_of_a_batch_is_all_the_same(name: str) -> None:
    loss, batch = trained(made(name)), BATCHES["memory"]
    random = torch.Generator().manual_seed(0)
    rows, columns = (torch.randperm(len(part), generator=random) for part in batch[:2])
    shuffled = Batch(
        batch.anchors[rows],
        batch.references[columns],
        batch.positives[rows][:, columns],
        batch.negatives[rows][:, columns],
        batch.labels[rows],
    )
    found, (anchors, references, *learned) = gradients(loss, batch)
    other, (anchors_then, references_then, *learned_then) = gradients(loss, shuffled)
    torch.testing.assert_close(other, found, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(anchors_then, anchors[rows], rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(references_then, references[columns], rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(learned_then, learned, rtol=1e-8, atol=1e-10)


@every_loss
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_is_float32_whatever_the_precision(name: str, given: torch.dtype) -> None:
    batch = whole(16, seed=1)
    codes = [part.to(given) for part in batch[:2]]
    exact = trained(made(name))(*(part.double() for part in codes), *batch[2:])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = trained(made(name)).float()
        found = loss(*codes, *batch[2:])
        statistics = loss.statistics(*codes, *batch[2:]) if hasattr(loss, "statistics") else {}  # type: ignore[operator]
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), rel=1e-4, abs=1e-6)
    assert all(value.shape == () and torch.isfinite(value) for value in statistics.values())


def idle(name: str, batch: Batch) -> None:
    """Checks that a loss is zero on a batch, with a gradient of zero, in float32."""
    batch, loss = batch._replace(anchors=batch.anchors.float(), references=batch.references.float()), made(name)
    found, learned = gradients(loss, batch)
    assert found.item() == 0
    assert found.dtype == torch.float32
    assert all(torch.equal(part, torch.zeros_like(part)) for part in learned)
    loss(batch.anchors.clone().requires_grad_(), *batch[1:]).backward()


@every_loss
def test_no_anchor_is_zero_with_a_gradient(name: str) -> None:
    anchors, references, positives, negatives, labels = whole(6)
    idle(name, Batch(anchors[:0], references, positives[:0], negatives[:0], labels[:0]))


@pytest.mark.parametrize("name", sorted({*LOSSES} - {*CLASS_BASED, "sum"}))
def test_no_pair_is_zero_with_a_gradient(name: str) -> None:
    nobody = torch.zeros(6, 6, dtype=torch.bool)
    idle(name, whole(6)._replace(positives=nobody, negatives=nobody))


@every_loss
@pytest.mark.parametrize("kind", ["no positive", "no negative", "drawn, sparse"])
def test_what_an_anchor_lacks_makes_nothing_infinite(name: str, kind: str) -> None:
    found, learned = gradients(trained(made(name)), BATCHES[kind])
    assert torch.isfinite(found)
    assert all(torch.isfinite(part).all() for part in learned)


@every_loss
def test_codes_that_are_all_the_same_make_nothing_infinite(name: str) -> None:
    batch = whole(8)
    codes = torch.full((8, 5), 5**-0.5)
    found, learned = gradients(made(name), batch._replace(anchors=codes, references=codes))
    assert torch.isfinite(found)
    assert all(torch.isfinite(part).all() for part in learned)


@every_loss
@pytest.mark.parametrize("miner", [All(), SemiHard(0.3), Hardest()], ids=lambda m: type(m).__name__)
def test_learns_from_a_memory_and_from_what_is_mined(name: str, miner: Any) -> None:
    """Codes that learn by themselves, beside a memory that holds many batches of the same few images."""
    loss, memory = made(name), CrossBatchMemory(size=50)
    batch = whole(12, spread=1.5)
    codes = batch.anchors.float().clone().requires_grad_()
    labels = batch.labels
    optimizer = torch.optim.Adam([{"params": [codes], "lr": 0.03}, {"params": [*loss.parameters()], "lr": 0.03}])
    before = spread_of(codes, labels)
    for _ in range(25):
        unit = nn.functional.normalize(codes, dim=1)
        references, names = memory(unit, labels)
        same = labels[:, None] == names
        rows, *masks = miner.select(unit, references, same & ~torch.eye(*same.shape, dtype=torch.bool), ~same)
        optimizer.zero_grad()
        loss(unit[rows], references, *masks, labels[rows]).backward()
        optimizer.step()
    assert spread_of(codes, labels) > before + 0.1


def spread_of(codes: Tensor, labels: Tensor) -> float:
    """How much more alike codes of a class are than those of two."""
    unit, same = nn.functional.normalize(codes.detach(), dim=1), labels[:, None] == labels
    similar = unit @ unit.T
    return float(similar[same & ~torch.eye(len(labels), dtype=torch.bool)].mean() - similar[~same].mean())


def test_losses_of_classes_are_known() -> None:
    assert {"arcface", "classification", "cosface", "norm_softmax", "proxy_anchor", "proxy_nca"} <= set(CLASS_BASED)


@pytest.mark.parametrize("name", [*CLASS_BASED, "sum"])
def test_labels_are_asked_for(name: str) -> None:
    batch, loss = one_triplet(), made(name)
    codes = batch.anchors.float(), batch.references.float()
    with pytest.raises(UserError, match=r"needs labels, one for each image.*loss=triplet"):
        loss(*codes, *batch[2:4])
    for strange in (-1, 4, 100):
        with pytest.raises(UserError, match=f"labels of the train split, and {strange} is none of its 4"):
            loss(*codes, *batch[2:4], torch.tensor([strange]))


@pytest.mark.parametrize("name", CLASS_BASED)
def test_what_is_learned_of_classes_is_the_same_in_every_process(name: str) -> None:
    torch.manual_seed(1)
    one = made(name)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    two = made(name)
    assert torch.equal(torch.get_rng_state(), state)
    for mine, other in zip(one.parameters(), two.parameters(), strict=True):
        assert mine.dtype == torch.float32
        assert torch.equal(mine, other)
    assert one.rate > 1  # type: ignore[operator]
