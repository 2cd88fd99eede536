"""The maximum over any boxes of a map, at a cost that does not depend on their size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
    """

    def forward(self, maps: Tensor, regions: Regions) -> Tensor:
        """The maxima (N, C) of the boxes."""
        rows = maps.permute(0, 2, 3, 1).contiguous()  # (B, H, W, C): the channels of a cell lie together
        if not (torch.is_grad_enabled() and rows.requires_grad):
            return box_max(rows, regions)
        _, height, width, channels = rows.shape
        with torch.no_grad():
            best = box_max(_with_place(rows), regions)
            cell = height * width - 1 - (best & 0xFFFFFFFF)
        return rows.view(-1, channels).gather(0, cell + regions.image[:, None] * (height * width))


def box_max(table: Tensor, regions: Regions) -> Tensor:
    """The maxima (N, C) of boxes on a table (B, H, W, C) of any ordered type.

    Only the levels of the sparse table that some box needs are made, each from the last one, and dropped again.
    """
    channels = table.shape[-1]
    x0, y0, x1, y1 = regions.boxes.unbind(1)
    tall, wide = _log2(y1 - y0), _log2(x1 - x0)
    levels, group = torch.unique(tall * 64 + wide, return_inverse=True)
    members = torch.split(torch.argsort(group, stable=True), torch.bincount(group).tolist())
    found = table.new_empty(len(regions.boxes), channels)
    up, across = 0, 0
    lines = table  # maxima over 2^up × 1 cells
    blocks = table  # maxima over 2^up × 2^across cells
    for level, member in zip(levels.tolist(), members, strict=True):
        while up < level // 64:
            lines = torch.maximum(lines[:, : -(1 << up)], lines[:, 1 << up :])
            up, across, blocks = up + 1, 0, lines
        while across < level % 64:
            blocks = torch.maximum(blocks[:, :, : -(1 << across)], blocks[:, :, 1 << across :])
            across += 1
        flat, breadth = blocks.reshape(-1, channels), blocks.shape[2]
        start = regions.image[member] * blocks.shape[1] * breadth
        top, bottom = start + y0[member] * breadth, start + (y1[member] - (1 << up)) * breadth
        left, right = x0[member], x1[member] - (1 << across)
        upper = torch.maximum(flat[top + left], flat[top + right])
        lower = torch.maximum(flat[bottom + left], flat[bottom + right])
        found[member] = torch.maximum(upper, lower)
    return found


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
