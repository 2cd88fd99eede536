"""ArcFace by its angles, one image after the other."""

from __future__ import annotations

import math

import pytest
import torch
from losses.twins import CLASSES, Batch, agrees, cosine, every_batch, mean, trained
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor

from deepret.losses.arcface import ArcFace
from deepret.losses.classes import directions

NONE = torch.zeros(0, 0, dtype=torch.bool)


def made(**settings: float) -> ArcFace:
    loss = trained(ArcFace(CLASSES, 5, **settings))  # type: ignore[arg-type]
    assert isinstance(loss, ArcFace)
    return loss


def slow(batch: Batch, loss: ArcFace) -> Tensor:
    found = []
    for code, label in zip(batch.anchors, batch.labels.tolist(), strict=True):
        logits = []
        for name, weight in zip(CLASSES.tolist(), loss.weight, strict=True):
            angle = torch.acos(cosine(code, weight))
            if name == label and angle + loss.margin <= math.pi:
                logits.append(loss.scale * torch.cos(angle + loss.margin))
            else:
                fallen = loss.margin * math.sin(loss.margin) if name == label else 0.0
                logits.append(loss.scale * (torch.cos(angle) - fallen))
        found.append(-torch.log_softmax(torch.stack(logits), 0)[CLASSES.tolist().index(label)])
    return mean(found)


@every_batch
@pytest.mark.parametrize(("margin", "scale"), [(0.5, 64.0), (0.1, 4.0), (1.3, 10.0), (0.0, 10.0)])
def test_agrees_with_the_angles(batch: Batch, margin: float, scale: float) -> None:
    loss = made(margin=margin, scale=scale)
    agrees(loss, lambda b: slow(b, loss), batch)


def test_agrees_with_pytorch_metric_learning() -> None:
    loss, other = made(), ArcFaceLoss(4, 5, margin=math.degrees(0.5))
    other.W.data = loss.weight.detach().T
    codes = torch.randn(20, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    numbers = torch.arange(20) % 4
    found = loss(codes, codes, NONE, NONE, CLASSES[numbers])
    torch.testing.assert_close(found, other(codes, numbers), rtol=1e-9, atol=0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_code_that_is_its_class_has_a_gradient_that_is_a_number(sign: float) -> None:
    loss = ArcFace(CLASSES, 2)
    loss.weight.data = torch.eye(2).repeat(2, 1)
    codes = (sign * torch.eye(2)).requires_grad_()
    loss(codes, codes, NONE, NONE, CLASSES[:2]).backward()
    for part in (codes, loss.weight):
        assert part.grad is not None
        assert torch.isfinite(part.grad).all()


def test_weights_start_in_directions_of_the_seed_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, two, other = (ArcFace(CLASSES, 8, seed=seed).weight for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    torch.testing.assert_close(directions(4, 8, 3).norm(dim=1), torch.ones(4))


def test_accuracy_is_told_without_the_margin() -> None:
    loss = made(margin=1.5)
    batch = torch.randn(9, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = CLASSES[(batch @ torch.nn.functional.normalize(loss.weight, dim=1).T).argmax(1)]
    assert float(loss.statistics(batch, batch, NONE, NONE, labels)["accuracy"]) == 1
