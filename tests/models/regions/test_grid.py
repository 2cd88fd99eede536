"""R-MAC's grid against the authors' construction, written out step by step."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from deepret.models.regions.grid import Grid, grid_boxes


def slow_grid(height: int, width: int, levels: int) -> list[tuple[int, int, int, int]]:
    """The grid as the paper's text has it: centres laid out in real numbers, one region at a time."""
    w = min(height, width)
    extra_x = extra_y = 0
    if height != width:
        errors = []
        for m in range(2, 8):
            b = (max(height, width) - w) / (m - 1)
            errors.append(abs((w**2 - w * b) / w**2 - 0.4))
        extra = errors.index(min(errors)) + 1
        extra_x, extra_y = (extra, 0) if width > height else (0, extra)
    boxes = []
    for level in range(1, levels + 1):
        side = math.floor(2 * w / (level + 1))
        if side == 0:
            continue
        for j in range(level + extra_y):
            y = 0 if level + extra_y == 1 else math.floor(round(j * (height - side) / (level + extra_y - 1), 9))
            for i in range(level + extra_x):
                x = 0 if level + extra_x == 1 else math.floor(round(i * (width - side) / (level + extra_x - 1), 9))
                boxes.append((x, y, x + side, y + side))
    return boxes


@example(18, 66, 1)  # five and six squares overlap equally well
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 6))
def test_equals_the_slow_grid(height: int, width: int, levels: int) -> None:
    found = [tuple(box) for box in grid_boxes(height, width, levels, whole=False).tolist()]
    assert found == slow_grid(height, width, levels)


def test_equals_the_slow_grid_on_every_map_of_up_to_60_by_60_cells() -> None:
    for height in range(1, 61):
        for width in range(1, 61):
            found = [tuple(box) for box in grid_boxes(height, width, 3, whole=False).tolist()]
            assert found == slow_grid(height, width, 3), (height, width)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 6), st.booleans())
def test_boxes_hold_a_cell_and_stay_inside(height: int, width: int, levels: int, whole: bool) -> None:
    x0, y0, x1, y1 = grid_boxes(height, width, levels, whole).T
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 > x0).all()
    assert (y1 > y0).all()
    assert (x1 <= width).all()
    assert (y1 <= height).all()


@given(st.integers(1, 70), st.integers(1, 70))
def test_turning_the_map_turns_the_grid(height: int, width: int) -> None:
    turned = grid_boxes(width, height, 3, True)[:, [1, 0, 3, 2]]
    assert sorted(grid_boxes(height, width, 3, True).tolist()) == sorted(turned.tolist())


@pytest.mark.parametrize(("height", "width", "count"), [(24, 32, 20), (32, 24, 20), (16, 16, 14), (1, 1, 1)])
def test_known_counts(height: int, width: int, count: int) -> None:
    assert len(grid_boxes(height, width, 3, whole=False)) == count
    assert len(grid_boxes(height, width, 3, whole=True)) == count + 1


def test_the_whole_map_is_the_last_region() -> None:
    assert grid_boxes(9, 14, 3, whole=True)[-1].tolist() == [0, 0, 14, 9]


def test_lays_the_grid_on_every_image() -> None:
    regions = Grid(levels=2, whole=False)(torch.zeros(3, 5, 8, 6))
    one = grid_boxes(8, 6, 2, whole=False)
    assert regions.boxes.tolist() == one.tolist() * 3
    assert regions.image.tolist() == [i for i in range(3) for _ in one]
    assert regions.boxes.dtype == regions.image.dtype == torch.int64


def test_may_be_made_in_inference_and_used_in_training() -> None:
    """Boxes are kept from call to call; those of one image are a view of them."""
    grid_boxes.cache_clear()
    with torch.inference_mode():
        Grid()(torch.zeros(1, 2, 7, 9))
    boxes = Grid()(torch.zeros(1, 2, 7, 9)).boxes
    weight = torch.ones(2, requires_grad=True)
    (weight[boxes[:, 0] % 2] * boxes[:, 1]).sum().backward()
    assert weight.grad is not None
