"""Maximum over boxes: the sparse table against a plain loop, and its share of a training step.

    python timings/pooling.py [threads]

Each line is a ratio of two times of this run, each the best of several, in seconds of the processor, so that what else
the machine does counts less. The plain loop takes the maximum of one box after another, on whichever layout
in memory suits it better. One thread unless told otherwise.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from deepret.memory import keep_memory
from deepret.models.backbone.lite0 import Lite0
from deepret.models.pooling.max import Max
from deepret.models.regions.grid import Grid
from deepret.models.types import Regions

CHANNELS = 1280


def plain_loop(maps: Tensor, regions: Regions) -> Tensor:
    boxes = zip(regions.boxes.tolist(), regions.image.tolist(), strict=True)
    return torch.stack([maps[image, :, y0:y1, x0:x1].amax((1, 2)) for (x0, y0, x1, y1), image in boxes])


def random_boxes(count: int, height: int, width: int) -> Regions:
    x, y = (torch.rand(count, 2) * torch.tensor(n) for n in (width, height))
    x, y = x.sort(1).values, y.sort(1).values
    start = torch.stack([x[:, 0].floor(), y[:, 0].floor()], 1)
    end = torch.maximum(torch.stack([x[:, 1].ceil(), y[:, 1].ceil()], 1), start + 1)
    return Regions(torch.cat([start, end], 1).long(), torch.zeros(count, dtype=torch.int64))


def ratio(*work: Callable[[], object], rounds: int = 15) -> float:
    """How much longer the quickest of all but the last takes than the last; each by its best of some rounds.

    The rounds alternate, so that what else the machine does falls on all of them.
    """
    best = [float("inf")] * len(work)
    for turn in range(rounds + 1):
        for i, do in enumerate(work):
            begin = time.process_time()
            do()
            if turn > 0:  # the first is a rehearsal
                best[i] = min(best[i], time.process_time() - begin)
    return min(best[:-1]) / best[-1]


def learn(pool: Callable[[Tensor, Regions], Tensor], maps: Tensor, regions: Regions) -> None:
    maps.grad = None
    pool(maps, regions).sum().backward()


def loop_over_table(height: int, width: int, count: int) -> tuple[float, float]:
    """Times that a plain loop takes of the sparse table's: forward, and forward with backward."""
    nchw = torch.randn(1, CHANNELS, height, width).relu()
    nhwc = nchw.contiguous(memory_format=torch.channels_last)
    regions, pool = random_boxes(count, height, width), Max()
    assert torch.equal(pool(nhwc, regions), plain_loop(nchw, regions))
    a, b = nchw.clone().requires_grad_(), nhwc.clone().requires_grad_()
    forward = ratio(lambda: plain_loop(nchw, regions), lambda: plain_loop(nhwc, regions), lambda: pool(nhwc, regions))
    both = ratio(
        lambda: learn(plain_loop, a, regions),
        lambda: learn(plain_loop, b, regions),
        lambda: learn(pool, b, regions),
        rounds=5,
    )
    return forward, both


def pooled_over_bare(height: int, width: int) -> float:
    """Time of forward and backward with the grid's maxima, over the backbone's own."""
    backbone, grid, pool = Lite0(), Grid(), Max()
    images = torch.randn(4, 3, height, width).contiguous(memory_format=torch.channels_last)

    def step(pooled: bool) -> None:
        backbone.zero_grad()
        maps = backbone(images)
        (pool(maps, grid(maps)) if pooled else maps).sum().backward()

    return ratio(lambda: step(True), lambda: step(False))


if __name__ == "__main__":
    keep_memory()  # as every program does
    torch.manual_seed(0)
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print("a plain loop takes … times as long     forward   forward + backward   target (forward)")
    for height, width in ((16, 16), (24, 32)):
        for count, target in ((100, 3), (1000, 10)):
            forward, both = loop_over_table(height, width, count)
            print(f"{height} × {width} cells, {count:5} boxes {forward:19.1f} {both:20.1f} {'≥ ' + str(target):>18}")
    print("\na training step of backbone and pooling takes … times the backbone's alone; 4 images, the grid's boxes")
    for height, width in ((288, 288), (224, 288)):
        print(f"{height} × {width} pixels {pooled_over_bare(height, width):25.2f} {'≤ 1.25':>39}")
