"""The generalised mean against one box and one channel at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models.pooling.drawn import OUTSIDE, maps_and_boxes, on_first, one_by_one
from torch import Tensor, nn

from deepret.models.pooling.gem import GeM
from deepret.models.types import Regions


def slow_gem(maps: Tensor, regions: Regions, p: list[float]) -> Tensor:
    """In plain loops over channels and cells."""

    def mean(cells: Tensor) -> Tensor:
        found = []
        for row, power in zip(cells.tolist(), p, strict=True):
            total = sum(max(x, 1e-6) ** power for x in row)
            found.append((total / len(row)) ** (1 / power))
        return torch.tensor(found)

    return one_by_one(maps, regions, mean)


@given(maps_and_boxes(), st.sampled_from([1.0, 2.5, 3.0, 8.0, 50.0]), st.booleans())
def test_equals_the_slow_generalised_mean(case: tuple[Tensor, Regions], p: float, learned: bool) -> None:
    maps, regions = case
    found = GeM(3, p, learned)(maps, regions)
    assert torch.allclose(found, slow_gem(maps, regions, [p] * 3), rtol=1e-5, atol=1e-8)


def test_small_responses_beside_large_ones_are_kept() -> None:
    maps = torch.full((1, 1, 24, 32), 100.0)
    maps[..., 5:7, 8:11] = 1e-4
    assert GeM(1)(maps, on_first([8, 5, 11, 7])).item() == pytest.approx(1e-4, rel=1e-5)


def test_a_power_for_each_channel() -> None:
    torch.manual_seed(0)
    maps, regions = torch.rand(2, 3, 4, 5), Regions(torch.tensor([[0, 0, 5, 4], [1, 1, 4, 3]]), torch.tensor([0, 1]))
    pool = GeM(3, per_channel=True)
    assert pool.p.tolist() == [3.0] * 3
    pool.p.data = torch.tensor([1.0, 3.0, 6.5])
    assert torch.allclose(pool(maps, regions), slow_gem(maps, regions, [1.0, 3.0, 6.5]), atol=1e-6)


def test_p_is_kept_in_checkpoints_and_learns_only_where_it_should() -> None:
    assert isinstance(GeM(3).p, nn.Parameter)
    assert not list(GeM(3, learned=False).parameters())
    fixed = GeM(3, p=2.0, learned=False)
    fixed.load_state_dict(GeM(3, p=4.5).state_dict())
    assert fixed.p.tolist() == [4.5]


@pytest.mark.parametrize("per_channel", [False, True])
def test_gradcheck(per_channel: bool) -> None:
    """Of the responses and of p, for boxes of several sizes."""
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    regions = Regions(torch.tensor([[0, 0, 5, 4], [1, 2, 4, 3], [2, 0, 5, 4]]), torch.tensor([0, 0, 1]))
    pool = GeM(3, per_channel=per_channel).double()
    assert torch.autograd.gradcheck(lambda x, _: pool(x, regions), (maps, pool.p))


@pytest.mark.parametrize("p", [3.0, 30.0])
def test_maps_without_a_response_have_a_gradient_that_is_a_number(p: float) -> None:
    maps = torch.zeros(1, 2, 3, 3, requires_grad=True)
    pool = GeM(2, p)
    pool(maps, on_first([0, 0, 3, 3])).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert pool.p.grad is not None
    assert pool.p.grad.isfinite().all()


def test_autocast_changes_nothing() -> None:
    torch.manual_seed(0)
    maps, regions = torch.rand(1, 3, 4, 5), on_first([0, 0, 5, 4])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = GeM(3)(maps, regions)
    assert torch.equal(found, GeM(3)(maps, regions))


@pytest.mark.parametrize("box", OUTSIDE)
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    with pytest.raises(ValueError, match="5 × 6 cells"):
        GeM(2)(torch.rand(1, 2, 5, 6), on_first(box))
