from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR

from deepret.training.schedule import constant, cosine

RATE = 0.2


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates(schedule: LambdaLR, steps: int) -> list[float]:
    """The rate of each step, as a training takes them."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return found


@settings(deadline=None)
@given(steps=st.integers(1, 60), warm_up=st.floats(0, 1), floor=st.floats(0, 1))
def test_cosine_step_by_step(steps: int, warm_up: float, floor: float) -> None:
    rise = round(warm_up * steps)
    expected = []
    for step in range(steps):
        if step < rise:
            expected.append(RATE * (step + 1) / rise)
        else:
            angle = math.pi * (step - rise) / (steps - rise)
            expected.append(RATE * (floor + (1 - floor) * (1 + math.cos(angle)) / 2))
    found = rates(cosine(optimizer(), steps, warm_up, floor), steps)
    assert found == pytest.approx(expected)
    assert all(0 < rate <= RATE * (1 + 1e-12) for rate in found[:rise])


def test_cosine_ends_at_its_floor_and_stays() -> None:
    schedule = cosine(optimizer(), 20, warm_up=0.25, floor=0.1)
    found = rates(schedule, 30)
    assert found[4] == pytest.approx(RATE)
    assert found[4:20] == sorted(found[4:20], reverse=True)
    assert found[20:] == pytest.approx([0.1 * RATE] * 10)


def test_constant() -> None:
    assert rates(constant(optimizer(), 10), 12) == [RATE] * 12
    assert rates(constant(optimizer(), 10, warm_up=0.4), 12) == pytest.approx(
        [RATE * k / 4 for k in (1, 2, 3)] + [RATE] * 9
    )


@pytest.mark.parametrize("kind", [cosine, constant])
def test_goes_on_where_it_was_cut_off(kind: type) -> None:
    whole = rates(kind(optimizer(), 20, warm_up=0.3), 20)
    first = kind(optimizer(), 20, warm_up=0.3)
    begun = rates(first, 8)
    second = kind(optimizer(), 20, warm_up=0.3)
    second.load_state_dict(first.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert begun + rates(second, 12) == whole
