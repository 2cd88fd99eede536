"""Maps and boxes that hypothesis draws, and poolings one box at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor

from deepret.models.types import Regions


@st.composite
def maps_and_boxes(draw: st.DrawFn) -> tuple[Tensor, Regions]:
    """Maps of a few whole numbers, so that many cells are equal, and any boxes on them."""
    batch, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 17)), draw(st.integers(1, 17))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    maps = torch.randint(-3, 4, (batch, 3, height, width), generator=generator).float()
    single = draw(st.integers(0, 4)) == 0
    boxes, images = [], sorted(draw(st.lists(st.integers(0, batch - 1), max_size=12)))
    for _ in images:
        x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        x1, y1 = (x0 + 1, y0 + 1) if single else (draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height)))
        boxes.append([x0, y0, x1, y1])
    return maps, Regions(torch.tensor(boxes).view(-1, 4).long(), torch.tensor(images).long())


def one_by_one(maps: Tensor, regions: Regions, pool: Callable[[Tensor], Tensor]) -> Tensor:
    """What ``pool`` makes of the cells (C, n) of each box, one box at a time."""
    boxes = zip(regions.boxes.tolist(), regions.image.tolist(), strict=True)
    rows = [pool(maps[image, :, y0:y1, x0:x1].flatten(1)) for (x0, y0, x1, y1), image in boxes]
    return torch.stack(rows) if rows else maps.flatten(1)[:0, : maps.shape[1]]


OUTSIDE = [[0, 0, 7, 5], [0, 0, 6, 6], [-1, 0, 2, 2], [2, 2, 2, 4], [3, 3, 2, 4], [6, 0, 7, 1]]
"""Boxes that are none on maps of 5 × 6 cells."""


def on_first(box: list[int]) -> Regions:
    """A box on the first image."""
    return Regions(torch.tensor([box]), torch.tensor([0]))
