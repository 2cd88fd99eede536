"""The sparse-table maximum against one box at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepret.models.pooling.max import Max
from deepret.models.types import Regions


def slow_max(maps: Tensor, regions: Regions) -> Tensor:
    """The maximum of each box, one box at a time; the gradient goes to the first of equal cells, row by row."""
    rows = []
    for (x0, y0, x1, y1), image in zip(regions.boxes.tolist(), regions.image.tolist(), strict=True):
        cells = maps[image, :, y0:y1, x0:x1].flatten(1)
        first = torch.tensor([row.index(max(row)) for row in cells.tolist()])
        rows.append(cells.gather(1, first[:, None])[:, 0])
    return torch.stack(rows) if rows else maps.flatten(1)[:0, : maps.shape[1]]


@st.composite
def maps_and_boxes(draw: st.DrawFn) -> tuple[Tensor, Regions]:
    """Maps of a few whole numbers, so that many cells are equal, and any boxes on them."""
    batch, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 17)), draw(st.integers(1, 17))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    maps = torch.randint(-3, 4, (batch, 3, height, width), generator=generator).float()
    boxes, images = [], sorted(draw(st.lists(st.integers(0, batch - 1), max_size=12)))
    for _ in images:
        x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append([x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))])
    return maps, Regions(torch.tensor(boxes).view(-1, 4).long(), torch.tensor(images).long())


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


@pytest.mark.parametrize("box", [[0, 0, 7, 5], [0, 0, 6, 6], [-1, 0, 2, 2], [2, 2, 2, 4], [3, 3, 2, 4]])
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    """They would otherwise read other cells, in silence."""
    with pytest.raises(ValueError, match="5 × 6 cells"):
        Max()(torch.rand(1, 2, 5, 6), Regions(torch.tensor([box]), torch.tensor([0])))


def test_no_boxes_give_no_vectors() -> None:
    none = Regions(torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert Max()(torch.rand(1, 2, 5, 6), none).shape == (0, 2)
