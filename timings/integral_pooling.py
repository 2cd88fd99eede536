"""Integral pooling against a plain loop of maxima and against the sparse table of exact ones.

    python timings/integral_pooling.py [threads]

Ratios of two times of this run, each the best of several, in seconds of the processor, on a map of 1280 channels and
24 × 32 cells. One thread unless told otherwise. ``python -m deepret.reports.integral_error photos=DIR`` has the errors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from pooling import CHANNELS, plain_loop, random_boxes, ratio
from torch import Tensor

from deepret.memory import keep_memory
from deepret.models.pooling.integral import Integral, PowerSums
from deepret.models.pooling.max import Max
from deepret.models.types import Regions

HEIGHT, WIDTH = 24, 32
Pool = Callable[[Tensor, Regions], Tensor]


def boxes_of(side: int, count: int) -> Regions:
    """Squares of one size at random places."""
    start = torch.stack([torch.randint(0, n - side + 1, (count,)) for n in (WIDTH, HEIGHT)], 1)
    return Regions(torch.cat([start, start + side], 1), torch.zeros(count, dtype=torch.int64))


def size_counts(pool: Pool, maps: Tensor, count: int) -> float:
    """Time for boxes of 20 × 20 cells, over that for boxes of 3 × 3."""
    large, small = boxes_of(20, count), boxes_of(3, count)
    return ratio(lambda: pool(maps, large), lambda: pool(maps, small), rounds=7)


if __name__ == "__main__":
    keep_memory()  # as every program does
    torch.manual_seed(0)
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    maps = torch.randn(1, CHANNELS, HEIGHT, WIDTH).relu().contiguous(memory_format=torch.channels_last)
    nchw, exact, integral = maps.contiguous(), Max(), Integral()

    print("integral pooling takes 1, and …          a plain loop   the sparse table   target (loop)")
    for count, target in ((20, None), (100, None), (1000, 8)):
        regions = random_boxes(count, HEIGHT, WIDTH)

        def do(pool: Pool, on: Tensor = maps, regions: Regions = regions) -> Callable[[], Tensor]:
            return lambda: pool(on, regions)

        loop = ratio(do(plain_loop, nchw), do(plain_loop), do(integral))
        table = ratio(do(exact), do(integral))
        print(f"{count:5} boxes {loop:40.1f} {table:18.2f} {f'≥ {target}' if target else '':>15}")

    print("\n1,000 boxes of 20 × 20 cells take … times those of 3 × 3")
    for name, pool in (("integral", integral), ("sparse table", exact), ("plain loop", plain_loop)):
        print(f"{name:12} {size_counts(pool, maps, 1000):40.2f}")

    few, sums = random_boxes(8, HEIGHT, WIDTH), PowerSums(maps, 10.0)
    again = ratio(lambda: exact(maps, few), lambda: sums.pooled(few))
    print(f"\n8 boxes more on a map whose sums are there: the sparse table takes {again:.0f} times as long")
