"""SPoC's centring prior, one region at a time."""

from __future__ import annotations

import math

import pytest
import torch

from deepret.models.regions.cells import Cells
from deepret.models.regions.grid import Grid
from deepret.models.types import Regions
from deepret.models.weighting.centre import Centre


def slow_centre(height: int, width: int, boxes: list[list[int]], share: float) -> list[float]:
    borders = [width / 2, height / 2]  # from the centre to the left and the upper one; the others are as far
    sigma = share * min(borders)
    found = []
    for x0, y0, x1, y1 in boxes:
        x, y = x0 + (x1 - x0) / 2, y0 + (y1 - y0) / 2
        found.append(math.exp(-((y - height / 2) ** 2 + (x - width / 2) ** 2) / (2 * sigma**2)))
    return found


@pytest.mark.parametrize(("height", "width"), [(8, 11), (5, 5), (12, 3), (1, 1)])
@pytest.mark.parametrize("share", [1 / 3, 0.5, 2.0])
def test_equals_one_region_at_a_time(height: int, width: int, share: float) -> None:
    maps = torch.rand(2, 3, height, width)
    for regions in (Cells()(maps), Grid()(maps)):
        found = Centre(share)(maps, regions)
        wanted = torch.tensor(slow_centre(height, width, regions.boxes.tolist(), share))
        assert torch.allclose(found, wanted, atol=1e-6)


def test_a_third_is_the_default_and_a_border_is_three_sigma_away() -> None:
    maps = torch.rand(1, 3, 6, 8)
    found = Centre()(maps, Regions(torch.tensor([[3, 2, 5, 4], [3, 0, 5, 0]]), torch.tensor([0, 0])))
    assert found.tolist() == pytest.approx([1.0, math.exp(-4.5)])
