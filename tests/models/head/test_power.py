"""The power law, entry by entry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.errors import UserError
from deepret.models.head.power import Power
from deepret.models.types import Codes


def samples(count: int = 60, channels: int = 10) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(count, channels, generator=generator) * torch.linspace(2, 0.1, channels) + 0.5


def codes(vectors: Tensor) -> Codes:
    return Codes(vectors, torch.arange(len(vectors)))


def fitted(train: Tensor, **settings: float) -> Power:
    head = Power(train.shape[1], rotate=True, **settings)  # type: ignore[arg-type]
    head.fit(train)
    return head


def slow(vector: list[float], power: float) -> list[float]:
    drawn = [math.copysign(abs(x) ** power, x) if x else 0.0 for x in vector]
    length = math.sqrt(sum(x * x for x in drawn))
    return [x / length for x in drawn]


@pytest.mark.parametrize("power", [0.2, 0.5, 1.0])
def test_equals_the_slow_power_law(power: float) -> None:
    vectors = samples()
    vectors[0, 3] = 0
    head = Power(10, power=power)
    found = head(codes(vectors)).vectors
    wanted = torch.tensor([slow(vector, power) for vector in vectors.tolist()])
    torch.testing.assert_close(found, wanted)
    assert not head.needs_fit
    assert not head.state_dict()
    assert head.dim == 10


def test_a_power_of_one_changes_nothing() -> None:
    assert torch.equal(Power(10, power=1.0)(codes(samples())).vectors, F.normalize(F.normalize(samples(), dim=1)))


@pytest.mark.parametrize(("count", "axes"), [(60, 10), (60, 4), (6, 10), (2, 1), (60, 1000)])
def test_turned_codes_have_the_cosines_of_codes(count: int, axes: int) -> None:
    head = fitted(samples(count), power=1.0, axes=axes)
    unit, found = F.normalize(samples().double(), dim=1), head(codes(samples())).vectors.double()
    torch.testing.assert_close(found @ found.T, unit @ unit.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("count", "axes", "principal"), [(60, 10, 10), (60, 4, 4), (6, 10, 5)])
def test_the_first_entries_are_the_principal_components(count: int, axes: int, principal: int) -> None:
    unit = F.normalize(samples(count).double(), dim=1).numpy()
    values, columns = np.linalg.eigh(np.cov(unit.T))
    axis = columns[:, np.argsort(-values)[:principal]]
    found = fitted(samples(count), power=1.0, axes=axes)(codes(samples())).vectors[:, :principal]
    wanted = F.normalize(samples().double(), dim=1).numpy() @ axis
    assert np.allclose(found.abs().numpy(), np.abs(wanted), atol=1e-5)


def test_the_power_law_comes_after_the_rotation() -> None:
    turned = fitted(samples(), power=1.0)(codes(samples())).vectors
    wanted = torch.tensor([slow(vector, 0.5) for vector in turned.tolist()])
    torch.testing.assert_close(fitted(samples(), power=0.5)(codes(samples())).vectors, wanted, rtol=1e-4, atol=1e-5)


def test_long_codes_of_few_photographs_are_turned() -> None:
    train = torch.rand(20, 9000, generator=torch.Generator().manual_seed(0))
    head = fitted(train, power=1.0, axes=16)
    assert head.reflections.shape == (9000, 16)
    unit, found = F.normalize(train.double(), dim=1), head(codes(train)).vectors.double()
    torch.testing.assert_close(found @ found.T, unit @ unit.T, rtol=0, atol=1e-5)
    spread = found.var(0)
    assert (spread[:16].diff() <= 1e-9).all()
    wanted = torch.linalg.svdvals(unit - unit.mean(0))[:16] ** 2 / 19
    torch.testing.assert_close(spread[:16], wanted, rtol=1e-3, atol=0)


@pytest.mark.parametrize("rotate", [False, True])
def test_slopes_are_finite_and_right(rotate: bool) -> None:
    head = fitted(samples()).double() if rotate else Power(10)
    vectors = samples()[:2].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head(codes(x)).vectors, vectors)
    flat = torch.zeros(2, 10)
    flat[0, 1] = 1
    flat.requires_grad_()
    head.float()(codes(flat)).vectors.sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize("rotate", [False, True])
def test_codes_of_zero_stay_zero_and_no_number_stays_none(rotate: bool) -> None:
    head = fitted(samples()) if rotate else Power(10)
    mixed = samples()[:3].clone()
    mixed[0], mixed[1, 2] = 0, float("nan")
    found = head(codes(mixed)).vectors
    assert not found[0].any()
    assert found[1].isnan().any()
    torch.testing.assert_close(found[2:], head(codes(samples()[2:3])).vectors)


def test_the_state_is_in_the_checkpoint() -> None:
    head, copy = fitted(samples(6)), Power(10, rotate=True)
    assert head.needs_fit
    copy.load_state_dict(head.state_dict())
    assert torch.equal(copy(codes(samples())).vectors, head(codes(samples())).vectors)
    assert not list(head.parameters())


def test_mistakes_are_told_in_one_message() -> None:
    with pytest.raises(UserError, match="not fitted yet"):
        Power(10, rotate=True)(codes(samples()))
    for train in (samples(1), samples(1).repeat(5, 1), samples(0)):
        with pytest.raises(UserError, match=r"head.rotate=true: the . codes .* all alike"):
            fitted(train)
    wrong = samples()
    wrong[7, 2] = float("nan")
    with pytest.raises(UserError, match=r"head: 1 of the 60 codes .* no numbers"):
        fitted(wrong)
    with pytest.warns(UserWarning, match="60 of the 120 codes"):
        fitted(torch.cat([samples(), torch.zeros(60, 10)]))
