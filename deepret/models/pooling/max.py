"""The maximum over any boxes of a map, at a cost that does not depend on their size."""

from __future__ import annotations

from itertools import cycle

import torch
from torch import Tensor, nn

from deepret.models.pooling.boxes import all_single, cells_of, check_boxes
from deepret.models.types import Regions


class Max(nn.Module):
    """Takes the largest response of each channel in each box: f_c = max over cells p in the box of X_c(p).

    Exact, by a sparse table: T_k,l(y, x) is the maximum over the 2^k × 2^l cells that start at (y, x), each table made
    from two places of the one before. A box of h × w cells is covered by four overlapping blocks of
    2^⌊log₂ h⌋ × 2^⌊log₂ w⌋, so it takes four look-ups, whatever its size. The gradient goes to one cell per channel and
    box, as a plain maximum's does: the first one, row by row, that holds the maximum.

    Shape:
        maps (B, C, H, W), Regions of N boxes → (N, C), in the maps' type.

    Paper: Bender, Farach-Colton, "The LCA problem revisited", LATIN 2000 (the sparse table); Tolias, Sicre, Jégou,
    ICLR 2016 (maximum over regions).

    Raises:
        ValueError: a box that is empty or leaves its map.
    """

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """The maxima (N, C) of the boxes."""
        rows = maps.permute(0, 2, 3, 1).contiguous()  # (B, H, W, C): the channels of a cell lie together
        check_boxes(regions, *rows.shape[1:3])
        if all_single(regions):
            return cells_of(rows, regions)
        if not (torch.is_grad_enabled() and rows.requires_grad):
            return box_max(rows, regions)
        _, height, width, channels = rows.shape
        with torch.no_grad():
            best = box_max(_with_place(rows), regions)
            cell = height * width - 1 - (best & 0xFFFFFFFF)
        return rows.view(-1, channels).gather(0, cell + regions.image[:, None] * (height * width))


def box_max(table: Tensor, regions: Regions) -> Tensor:
    """The maxima (N, C) of boxes on a table (B, H, W, C) of any ordered type.

    Only the levels of the sparse table that some box needs are made, each from the last one, in four tables' memory.
    """
    _, height, width, channels = table.shape
    x0, y0, x1, y1 = regions.boxes.unbind(1)
    tall, wide = _log2(y1 - y0), _log2(x1 - x0)
    upper, lower = (regions.image * height + torch.stack([y0, y1 - (1 << tall)])) * width
    left, right = x0, x1 - (1 << wide)
    corners = torch.stack([upper + left, upper + right, lower + left, lower + right], 1)

    level, order = torch.sort(tall * 64 + wide, stable=True)
    levels, counts = torch.unique_consecutive(level, return_counts=True)
    found = table.new_empty(len(order), channels)
    lines = blocks = table  # maxima over 2^up × 1 and over 2^up × 2^across cells
    up = across = 0
    other_lines, other_blocks = (cycle([torch.empty_like(table), torch.empty_like(table)]) for _ in range(2))
    for key, members in zip(levels.tolist(), torch.split(order, counts.tolist()), strict=True):
        while up < key // 64:
            lines = blocks = _double(lines, 1, 1 << up, next(other_lines))
            up, across = up + 1, 0
        while across < key % 64:
            blocks = _double(blocks, 2, 1 << across, next(other_blocks))
            across += 1
        four = blocks.view(-1, channels).index_select(0, corners[members].flatten())
        found[members] = four.view(-1, 4, channels).amax(1)
    return found


def _double(table: Tensor, dim: int, reach: int, into: Tensor) -> Tensor:
    """Maxima over twice as many cells along a dimension; places where a block would stick out hold nothing of use."""
    count = table.shape[dim] - 2 * reach + 1
    torch.maximum(table.narrow(dim, 0, count), table.narrow(dim, reach, count), out=into.narrow(dim, 0, count))
    return into


def _log2(lengths: Tensor) -> Tensor:
    """⌊log₂ n⌋ of whole numbers from 1 to 2^53."""
    return torch.frexp(lengths.double())[1].long() - 1


def _with_place(rows: Tensor) -> Tensor:
    """Whole numbers (B, H, W, C) in the order of the responses; the later cell counts as the smaller among equals.

    The upper half is the response, its bits arranged so that they sort as the number does; the lower half counts the
    cells that follow.
    """
    _, height, width, _ = rows.shape
    if rows.dtype == torch.float64:  # 64 bits leave no room for the place: rank them instead
        order: Tensor = torch.unique(rows, return_inverse=True)[1]
    else:
        bits = rows.float().view(torch.int32)
        order = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    following = torch.arange(height * width - 1, -1, -1, device=rows.device).view(1, height, width, 1)
    return (order << 32) | following
