"""R-MAC's uniform grid of square regions at several scales."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from deepret.models.types import Regions


class Grid(nn.Module):
    """Lays the same squares over every map: at scale l, l along its shorter side and l + m − 1 along its longer.

    With w = min(H, W), the squares of scale l have the side s = ⌊2w / (l + 1)⌋ and start at ⌊i (n − s) / (count − 1)⌋
    cells along a side of n. m is the number of squares of side w on the longer side that overlap by closest to 40 %.
    A scale whose side is zero gives no squares. A 32 × 24 map has 20 squares at 3 scales, a square one 14.

    Args:
        levels: L, the number of scales; each adds smaller squares.
        whole: adds the whole map as one more region.

    Shape:
        maps (B, C, H, W) → Regions of N = B · R boxes, image by image.

    Paper: Tolias, Sicre, Jégou, "Particular object retrieval with integral max-pooling of CNN activations", ICLR 2016.
    """

    trained: ClassVar[bool] = False

    def __init__(self, levels: Annotated[int, Field(ge=1)] = 3, whole: bool = True) -> None:
        super().__init__()
        self.levels = levels
        self.whole = whole

    def forward(self, maps: Tensor) -> Regions:
        """The grid's boxes on each of the maps."""
        batch, _, height, width = maps.shape
        return on_each(grid_boxes(height, width, self.levels, self.whole, maps.device), batch)


def on_each(boxes: Tensor, batch: int) -> Regions:
    """The same boxes (R, 4) on each of ``batch`` images."""
    image = torch.arange(batch, device=boxes.device).repeat_interleave(len(boxes))
    return Regions(boxes.expand(batch, -1, -1).reshape(-1, 4), image)


@lru_cache(maxsize=1024)
def grid_boxes(height: int, width: int, levels: int, whole: bool, device: torch.device | None = None) -> Tensor:
    """The grid (R, 4) of a map of height × width cells; it is kept, so no one may write into it."""
    short, long = min(height, width), max(height, width)
    more = _squares_on_long_side(short, long) - 1
    boxes = []
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        if side > 0:
            ys = _starts(height, side, level + (more if height > width else 0))
            xs = _starts(width, side, level + (more if width > height else 0))
            boxes += [(x, y, x + side, y + side) for y in ys for x in xs]
    if whole:
        boxes.append((0, 0, width, height))
    with torch.inference_mode(False):  # what is kept must serve training, too
        return torch.tensor(boxes, dtype=torch.int64, device=device)


def _squares_on_long_side(short: int, long: int) -> int:
    """m: squares of the shorter side that the longer side takes, overlapping by closest to 0.4 of their area."""
    if short == long:
        return 1

    def miss(m: int) -> float:  # in this order of operations, which decides where two m are equally close
        step = (long - short) / (m - 1)
        return abs((short**2 - short * step) / short**2 - 0.4)

    return min(range(2, 8), key=miss)


def _starts(cells: int, side: int, count: int) -> list[int]:
    """Where ``count`` squares start along a side, evenly from one end to the other."""
    return [i * (cells - side) // (count - 1) for i in range(count)] if count > 1 else [0]
