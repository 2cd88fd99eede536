"""What poolings over boxes share."""

from __future__ import annotations

import torch
from torch import Tensor

from deepret.models.types import Regions


def check_boxes(regions: Regions, height: int, width: int) -> None:
    """Refuses boxes that other cells would be read for.

    Raises:
        ValueError: a box that is empty or leaves its map of height × width cells.
    """
    x0, y0, x1, y1 = regions.boxes.unbind(1)
    if not ((x0 >= 0) & (x0 < x1) & (x1 <= width) & (y0 >= 0) & (y0 < y1) & (y1 <= height)).all():
        raise ValueError(f"regions: a box is empty or leaves its map of {height} × {width} cells")


def all_single(regions: Regions) -> bool:
    """Whether every box is a single cell, which then needs no pooling."""
    return bool((regions.boxes[:, 2:] - regions.boxes[:, :2] == 1).all())


def cells_of(rows: Tensor, regions: Regions) -> Tensor:
    """The first cell (N, C) of each box on rows (B, H, W, C)."""
    x0, y0 = regions.boxes[:, 0], regions.boxes[:, 1]
    return rows[regions.image, y0, x0]


def box_means(rows: Tensor, regions: Regions) -> Tensor:
    """The means (N, C) of boxes on rows (B, H, W, C).

    One product for each image: of the share that each cell has in each box, (K, H · W), with the cells, (H · W, C). A
    box costs the same whatever its size, and nothing is subtracted, so that small values beside large ones are kept.

    Raises:
        ValueError: a box that is empty or leaves its map.
    """
    batch, height, width, _ = rows.shape
    check_boxes(regions, height, width)
    if all_single(regions):
        return cells_of(rows, regions)
    x0, y0, x1, y1 = regions.boxes[..., None].unbind(1)
    y, x = (torch.arange(side, device=rows.device) for side in (height, width))
    inside = ((y >= y0) & (y < y1))[:, :, None] & ((x >= x0) & (x < x1))[:, None, :]
    shares = inside.flatten(1).to(rows.dtype) / ((x1 - x0) * (y1 - y0))
    count = torch.bincount(regions.image, minlength=batch)
    place = torch.arange(len(shares), device=rows.device) - (count.cumsum(0) - count)[regions.image]
    padded = shares.new_zeros(batch, int(count.max()), height * width)
    padded[regions.image, place] = shares
    return torch.bmm(padded, rows.flatten(1, 2))[regions.image, place]
