"""Flattened maxima against torch's adaptive maximum of one box at a time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from models.pooling.drawn import OUTSIDE, maps_and_boxes, on_first
from torch import Tensor

from deepret.models.pooling.flatten import Flatten
from deepret.models.regions.whole import Whole
from deepret.models.types import Regions


def slow_flatten(maps: Tensor, regions: Regions, cells: int) -> Tensor:
    boxes = zip(regions.boxes.tolist(), regions.image.tolist(), strict=True)
    rows = [F.adaptive_max_pool2d(maps[image, :, y0:y1, x0:x1], cells).flatten() for (x0, y0, x1, y1), image in boxes]
    return torch.stack(rows) if rows else torch.zeros(0, maps.shape[1] * cells**2)


@given(maps_and_boxes(), st.integers(1, 7))
def test_equals_the_adaptive_maximum(case: tuple[Tensor, Regions], cells: int) -> None:
    maps, regions = case
    pool = Flatten(maps.shape[1], cells)
    found = pool(maps, regions)
    assert torch.equal(found, slow_flatten(maps, regions, cells))
    assert found.shape == (len(regions.boxes), pool.dim)


def test_a_map_of_as_many_cells_is_flattened_as_it_is() -> None:
    maps = torch.randn(2, 5, 6, 6)
    assert torch.equal(Flatten(5)(maps, Whole()(maps)), maps.flatten(1))


def test_gradient_goes_where_the_adaptive_maximum_sends_it() -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 7, 9)
    regions = Regions(torch.tensor([[0, 0, 9, 7], [2, 1, 6, 7], [3, 3, 4, 4]]), torch.tensor([0, 0, 1]))
    weights = torch.randn(3, 3 * 16)
    fast, slow = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    (Flatten(3, 4)(fast, regions) * weights).sum().backward()
    (slow_flatten(slow, regions, 4) * weights).sum().backward()
    assert fast.grad is not None
    assert slow.grad is not None
    assert torch.allclose(fast.grad, slow.grad, atol=1e-6)


@pytest.mark.parametrize("box", OUTSIDE)
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    with pytest.raises(ValueError, match="5 × 6 cells"):
        Flatten(2, 3)(torch.rand(1, 2, 5, 6), on_first(box))
