"""Integral pooling against the sum of powers of one box at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models.pooling.drawn import OUTSIDE, maps_and_boxes, on_first, one_by_one
from torch import Tensor

from deepret.models.pooling.integral import Integral, PowerSums
from deepret.models.pooling.max import Max
from deepret.models.regions.whole import Whole
from deepret.models.types import Regions


def slow_integral(maps: Tensor, regions: Regions, alpha: float) -> Tensor:
    """(Σ X^α)^(1/α), one box at a time, in float64."""
    return one_by_one(maps.double().relu(), regions, lambda cells: cells.pow(alpha).sum(1).pow(1 / alpha)).float()


@given(maps_and_boxes(), st.sampled_from([1.0, 3.0, 10.0, 17.5]))
def test_equals_the_slow_sum_of_powers(case: tuple[Tensor, Regions], alpha: float) -> None:
    """All responses are a third of the maximum at least, or none: then little is lost in rounding."""
    maps, regions = case
    lost = (maps.shape[2] * maps.shape[3] * 2.3e-16) ** (1 / alpha) * 3
    found, wanted = Integral(alpha)(maps, regions), slow_integral(maps, regions, alpha)
    assert found.dtype == torch.float32
    assert torch.allclose(found[wanted > 0], wanted[wanted > 0], rtol=1e-4)
    assert (found[wanted == 0] <= lost).all()
    assert (found >= 0).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e5, 1e30])
def test_scale_counts_for_nothing(scale: float) -> None:
    """10th powers of these leave float32, and some float64; each channel has its own scale, on each map."""
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 6, 7)
    scales = torch.tensor([[scale, 1.0, scale], [1.0, scale, 1.0]])
    regions = Regions(torch.tensor([[0, 0, 7, 6], [1, 2, 5, 4], [0, 3, 2, 6]]), torch.tensor([0, 1, 1]))
    found = Integral()(maps * scales[:, :, None, None], regions)
    assert torch.allclose(found / scales[regions.image], Integral()(maps, regions), rtol=1e-5)


@given(maps_and_boxes(), st.sampled_from([4.0, 10.0, 30.0]))
def test_lies_between_the_maximum_and_its_multiple(case: tuple[Tensor, Regions], alpha: float) -> None:
    """max ≤ f ≤ max · n^(1/α) for n cells."""
    maps, regions = case
    maps = maps.abs() + 3  # nothing is lost
    most = Max()(maps, regions)
    cells = (regions.boxes[:, 2:] - regions.boxes[:, :2]).prod(1, keepdim=True)
    found = Integral(alpha)(maps, regions)
    assert (found >= most * (1 - 1e-3)).all()
    assert (found <= most * cells ** (1 / alpha) * (1 + 1e-3)).all()


def test_what_rounding_takes_is_as_small_as_it_says() -> None:
    """Small responses after large ones: above 5 % of the maximum they are found, and differences are never negative."""
    torch.manual_seed(0)
    maps = torch.rand(4, 8, 24, 32) * 0.5 + 0.5
    maps[:, :, 12:20, 16:24] = 0.06
    maps[:, :, 20:, 24:] = 0.0
    found = Integral()(maps, Regions(torch.tensor([[16, 12, 24, 20]] * 4), torch.arange(4)))
    assert torch.allclose(found, torch.full_like(found, 0.06 * 64**0.1), rtol=0.1)
    nothing = Integral()(maps, Regions(torch.tensor([[24, 20, 32, 24]] * 4), torch.arange(4)))
    assert ((nothing >= 0) & (nothing < 0.05)).all()


def test_gradcheck() -> None:
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    regions = Regions(torch.tensor([[0, 0, 6, 5], [1, 2, 4, 3], [2, 0, 5, 5]]), torch.tensor([0, 0, 1]))
    assert torch.autograd.gradcheck(lambda x: Integral(4.0)(x, regions), maps)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_that_of_one_box_at_a_time_where_rounding_takes_nothing(seed: int) -> None:
    """On a map of which nine in ten cells are zero, as real ones are; elsewhere it stays small."""
    torch.manual_seed(seed)
    maps = torch.rand(2, 16, 24, 32) * (torch.rand(2, 16, 24, 32) > 0.9)
    corners = torch.randint(0, 18, (40, 2))
    regions = Regions(torch.cat([corners, corners + torch.randint(1, 7, (40, 2))], 1), torch.arange(40) // 20)
    kept = Max()(maps, regions) > 0.1 * maps.amax((2, 3))[regions.image]
    fast, slow = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    found = Integral()(fast, regions)
    (learned,) = torch.autograd.grad(found[kept].sum(), fast, retain_graph=True)
    one_by_one(slow.double(), regions, lambda cells: (cells.pow(10).sum(1) + 1e-100).pow(0.1))[kept].sum().backward()
    assert slow.grad is not None
    assert kept.float().mean() > 0.5
    assert torch.allclose(learned, slow.grad, atol=1e-4)
    (rest,) = torch.autograd.grad(found[~kept].sum(), fast)
    assert rest.abs().max() < 10


def test_what_rounding_takes_does_not_learn() -> None:
    """Sums of little are wrong by a factor, which their gradient would have, too."""
    torch.manual_seed(0)
    maps = torch.rand(1, 64, 24, 32) * (torch.rand(1, 64, 24, 32) > 0.9)
    maps[..., 12:20, 16:24] *= 0.04
    boxes = [[x, y, x + 2, y + 2] for y in range(12, 20, 2) for x in range(16, 24, 2)]
    maps.requires_grad_()
    Integral()(maps, Regions(torch.tensor(boxes), torch.zeros(16, dtype=torch.int64))).sum().backward()
    assert maps.grad is not None
    assert maps.grad.abs().max() < 1.5  # that of a maximum is 1


def test_maps_without_a_response() -> None:
    maps = torch.zeros(1, 2, 5, 6, requires_grad=True)
    found = Integral()(maps, on_first([0, 0, 6, 5]))
    found.sum().backward()
    assert found.tolist() == [[0.0, 0.0]]
    assert maps.grad is not None
    assert (maps.grad == 0).all()


def test_a_response_that_is_no_number_is_not_hidden() -> None:
    maps = torch.tensor([1.0, float("nan"), 2.0]).view(1, 1, 1, 3)
    assert Integral()(maps, on_first([0, 0, 3, 1])).isnan().all()


def test_a_table_answers_any_number_of_questions() -> None:
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 5, 6)
    table = PowerSums(maps, 10.0)
    for box in ([0, 0, 6, 5], [1, 1, 2, 2], [3, 0, 6, 4]):
        regions = Regions(torch.tensor([box] * 2), torch.arange(2))
        assert torch.equal(table.pooled(regions), Integral()(maps, regions))


def test_layout_in_memory_and_autocast_change_nothing() -> None:
    torch.manual_seed(0)
    maps = torch.rand(2, 8, 5, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Integral()(maps.contiguous(memory_format=torch.channels_last), Whole()(maps))
    assert torch.equal(found, Integral()(maps, Whole()(maps)))


@pytest.mark.parametrize("box", OUTSIDE)
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    with pytest.raises(ValueError, match="5 × 6 cells"):
        Integral()(torch.rand(1, 2, 5, 6), on_first(box))
