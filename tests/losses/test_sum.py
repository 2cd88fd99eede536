"""Several losses at once, against each alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from losses.twins import CLASSES, agrees, trained, whole
from torch import nn

from deepret.config import compose, resolve
from deepret.errors import UserError
from deepret.losses.contrastive import Contrastive
from deepret.losses.norm_softmax import NormSoftmax
from deepret.losses.sum import Sum
from deepret.losses.triplet import Triplet
from deepret.parts import build, check
from deepret.training.learning import losses_of


def composed(*words: str) -> dict[str, Any]:
    node: dict[str, Any] = resolve(compose("train", ["loss=sum", *words]))["loss"]
    return node


def made(*words: str) -> nn.Module:
    node = composed(*words)
    check(node, "loss")
    loss: nn.Module = build(node, class_ids=CLASSES, code_length=5)
    return loss


def test_is_the_weighted_sum_with_its_gradients() -> None:
    classes, pairs = trained(NormSoftmax(CLASSES, 5)), Triplet(0.5)
    loss = Sum({"first": classes, "second": pairs, "third": None}, {"first": 0.25, "second": 2.0})
    agrees(loss, lambda b: 0.25 * classes(*b) + 2 * pairs(*b), whole(12))
    agrees(Sum({"one": pairs}), lambda b: pairs(*b), whole(12))


def test_says_what_each_is_under_its_name() -> None:
    batch = whole(12)
    classes, pairs = trained(NormSoftmax(CLASSES, 5)), Triplet(0.5)
    found = Sum({"by class": classes, "by pair": pairs}, {"by pair": 3.0}).statistics(*batch)
    assert set(found) == {"by class loss", "by pair loss", "by class accuracy", "by pair active triplets"}
    assert float(found["by pair loss"]) == float(pairs(*batch)) > 0
    assert found["by class accuracy"] == classes.statistics(*batch)["accuracy"]  # type: ignore[operator]


def test_the_command_line_chooses_and_sets_each() -> None:
    loss = made()
    assert isinstance(loss, Sum)
    assert [type(part) for part in loss.parts.values()] == [NormSoftmax, Triplet]
    loss = made(
        *("loss@loss.losses.first=contrastive", "loss.losses.first.margin=0.9", "loss.losses.second=null"),
        *("+loss@loss.losses.third=norm_softmax", "+loss.weights.third=0.5", "seed=7"),
    )
    assert isinstance(loss, Sum)
    first, third = loss.parts.values()
    assert isinstance(first, Contrastive)
    assert first.margin == 0.9
    assert loss.weights == {"first": 1.0, "third": 0.5}
    [weights] = third.parameters()
    assert torch.equal(weights, next(NormSoftmax(CLASSES, 5, seed=7).parameters()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss.losses.second.margin=-1"], r"loss\.losses\.second\.margin=-1: .*greater than 0"),
        (
            ["+loss.losses.second.margn=1"],
            r"loss\.losses\.second\.margn: Triplet takes no 'margn'; did you mean 'margin'",
        ),
        (["loss@loss.losses.second=tripelt"], "loss=tripelt: there is no such option; did you mean 'triplet'"),
        (["loss.weights.second=-1"], r"loss\.weights"),
        (["+loss.weights.thrd=1"], r"loss\.weights\.thrd: there is no such loss; there are: first, second"),
        (["loss.losses.second=7"], r"loss\.losses\.second=7: this is no loss"),
        (["loss.losses.first=null", "loss.losses.second=null"], r"loss\.losses is empty"),
    ],
)
def test_says_what_cannot_be(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(*words)


def test_each_loss_learns_at_its_own_rate() -> None:
    classes, pairs = NormSoftmax(CLASSES, 5, rate=7.0), Triplet()
    assert losses_of(Sum({"a": Sum({"b": classes}), "c": pairs})) == [classes, pairs]
    assert losses_of(classes) == [classes]
