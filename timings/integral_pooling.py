"""Integral pooling against a plain loop of maxima and against the sparse table of exact ones.

    python timings/integral_pooling.py [threads]

Ratios of two times of this run, each the best of several, in seconds of the processor, on a map of 1280 channels and
24 × 32 cells. One thread unless told otherwise. Ends with 1 where 1,000 boxes are not 8 times as fast as the loop, or
large boxes cost more than small ones. ``python -m deepret.reports.integral_error photos=DIR`` has the errors.
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
FASTER = 8.0
"""So many times integral pooling of 1,000 boxes shall be as fast as a plain loop of maxima."""
SAME = 1.25
"""Boxes of 20 × 20 cells may take so much of the time of 3 × 3; the plain loop takes 41 times."""
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

    print("integral pooling takes 1, and …          a plain loop   the sparse table")
    loops = {}
    for count in (20, 100, 1000):
        regions = random_boxes(count, HEIGHT, WIDTH)

        def do(pool: Pool, on: Tensor = maps, regions: Regions = regions) -> Callable[[], Tensor]:
            return lambda: pool(on, regions)

        loops[count] = ratio(do(plain_loop, nchw), do(plain_loop), do(integral))
        print(f"{count:5} boxes {loops[count]:40.1f} {ratio(do(exact), do(integral)):18.2f}")

    print("\n1,000 boxes of 20 × 20 cells take … times those of 3 × 3")
    pools = {"integral": integral, "sparse table": exact, "plain loop": plain_loop}
    sizes = {name: size_counts(pool, maps, 1000) for name, pool in pools.items()}
    for name, times in sizes.items():
        print(f"{name:12} {times:40.2f}")

    few, sums = random_boxes(8, HEIGHT, WIDTH), PowerSums(maps, 10.0)
    again = ratio(lambda: exact(maps, few), lambda: sums.pooled(few))
    print(f"\n8 boxes more on a map whose sums are there: the sparse table takes {again:.0f} times as long")

    if loops[1000] < FASTER:
        sys.exit(f"1,000 boxes are {loops[1000]:.1f} times as fast as a plain loop of maxima, not {FASTER:.0f}.")
    if sizes["integral"] > SAME:
        sys.exit(f"Boxes of 20 × 20 cells take {sizes['integral']:.2f} of the time of 3 × 3, more than {SAME}.")
