"""The mean over boxes against one box at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from models.pooling.drawn import OUTSIDE, maps_and_boxes, on_first, one_by_one
from torch import Tensor

from deepret.models.pooling.mean import Mean
from deepret.models.types import Regions


def slow_mean(maps: Tensor, regions: Regions) -> Tensor:
    return one_by_one(maps, regions, lambda cells: cells.mean(1))


@given(maps_and_boxes())
def test_equals_the_slow_mean(case: tuple[Tensor, Regions]) -> None:
    maps, regions = case
    assert (Mean()(maps, regions) - slow_mean(maps, regions)).abs().sum() <= 1e-5


@given(maps_and_boxes())
def test_gradient_is_spread_as_a_plain_mean_spreads_it(case: tuple[Tensor, Regions]) -> None:
    maps, regions = case
    weights = torch.randn(len(regions.boxes), maps.shape[1], generator=torch.Generator().manual_seed(0))
    fast, slow = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    (Mean()(fast, regions) * weights).sum().backward()
    (slow_mean(slow, regions) * weights).sum().backward()
    assert fast.grad is not None
    assert slow.grad is not None
    assert torch.allclose(fast.grad, slow.grad, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_is_exact_beside_large_responses_and_under_autocast(dtype: torch.dtype) -> None:
    maps = torch.full((1, 1, 24, 32), 1e6, dtype=dtype)
    maps[..., 5:7, 8:11] = 0.125
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Mean()(maps, on_first([8, 5, 11, 7]))
    assert found.item() == pytest.approx(0.125, rel=1e-6)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("box", OUTSIDE)
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    with pytest.raises(ValueError, match="5 × 6 cells"):
        Mean()(torch.rand(1, 2, 5, 6), on_first(box))
