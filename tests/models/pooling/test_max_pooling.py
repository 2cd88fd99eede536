"""The sparse-table maximum against one box at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models.pooling.drawn import OUTSIDE, maps_and_boxes, on_first, one_by_one
from torch import Tensor

from deepret.models.pooling.max import Max
from deepret.models.types import Regions


def slow_max(maps: Tensor, regions: Regions) -> Tensor:
    """The maximum of each box, one box at a time; the gradient goes to the first of equal cells, row by row."""

    def first(cells: Tensor) -> Tensor:
        place = torch.tensor([row.index(max(row)) for row in cells.tolist()])
        return cells.gather(1, place[:, None])[:, 0]

    return one_by_one(maps, regions, first)


@given(maps_and_boxes(), st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]))
def test_equals_the_slow_maximum(case: tuple[Tensor, Regions], dtype: torch.dtype) -> None:
    maps, regions = case[0].to(dtype), case[1]
    found = Max()(maps, regions)
    assert found.dtype == dtype
    assert torch.equal(found, slow_max(maps, regions))
    learning = maps.clone().requires_grad_()
    assert torch.equal(Max()(learning, regions), found)
    with torch.no_grad():
        assert torch.equal(Max()(learning, regions), found)


@given(maps_and_boxes())
def test_gradient_goes_where_a_plain_maximum_sends_it(case: tuple[Tensor, Regions]) -> None:
    maps, regions = case
    weights = torch.randn(len(regions.boxes), maps.shape[1], generator=torch.Generator().manual_seed(0))
    fast, slow = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    (Max()(fast, regions) * weights).sum().backward()
    (slow_max(slow, regions) * weights).sum().backward()
    assert fast.grad is not None
    assert slow.grad is not None
    assert torch.allclose(fast.grad, slow.grad, atol=1e-6)


def test_gradcheck() -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    regions = Regions(torch.tensor([[0, 0, 6, 5], [1, 2, 4, 3], [2, 0, 5, 5]]), torch.tensor([0, 0, 1]))
    assert torch.autograd.gradcheck(lambda x: Max()(x, regions), maps)


@pytest.mark.parametrize("learning", [False, True])
def test_extreme_values(learning: bool) -> None:
    """Infinite, negative-zero and tiny numbers order as numbers do."""
    values = torch.tensor([float("-inf"), -3e38, -1.0, -1e-42, -0.0, 1e-42, 1.0, 3e38, float("inf")])
    maps = values.view(1, 1, 1, -1).clone().requires_grad_(learning)
    boxes = torch.tensor([[0, 0, i + 1, 1] for i in range(len(values))])
    found = Max()(maps, Regions(boxes, torch.zeros(len(boxes), dtype=torch.int64)))
    assert found.flatten().tolist() == values.tolist()


@pytest.mark.parametrize("learning", [False, True])
def test_a_response_that_is_no_number_is_not_hidden(learning: bool) -> None:
    maps = torch.tensor([1.0, float("nan"), 2.0]).view(1, 1, 1, 3).requires_grad_(learning)
    found = Max()(maps, Regions(torch.tensor([[0, 0, 3, 1]]), torch.zeros(1, dtype=torch.int64)))
    assert found.isnan().all()


def test_layout_in_memory_changes_nothing() -> None:
    maps = torch.randn(2, 8, 5, 6)
    regions = Regions(torch.tensor([[0, 0, 6, 5], [1, 2, 4, 3]]), torch.tensor([0, 1]))
    assert torch.equal(Max()(maps, regions), Max()(maps.contiguous(memory_format=torch.channels_last), regions))


@pytest.mark.parametrize("box", OUTSIDE)
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    """They would otherwise read other cells, in silence."""
    with pytest.raises(ValueError, match="5 × 6 cells"):
        Max()(torch.rand(1, 2, 5, 6), on_first(box))


def test_no_boxes_give_no_vectors() -> None:
    none = Regions(torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert Max()(torch.rand(1, 2, 5, 6), none).shape == (0, 2)
