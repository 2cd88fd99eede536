"""What torch.compile gains: a training step with a compiled backbone, as a share of the plain step's time.

    python timings/compile.py                                # the default backbone and ResNet-50, one shape
    python timings/compile.py --backbones resnet18 --turns 10

The backbone alone is compiled: what follows it takes a tenth of a step, and has boxes of its own for each shape. Both
take turns; the ratio is one of the least times. The first compiled step compiles, which is told apart, and so does each
further shape of a batch, of which photographs bring several.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from step import training

from deepret.data.loading import Batch
from deepret.memory import keep_memory
from deepret.training.compiled import compile_training
from deepret.training.ranking import Ranking


def step(module: Ranking, optimizer: torch.optim.Optimizer, forward: Callable[..., Any], batch: Batch) -> float:
    """The seconds of one step with one of the backbone's ways to its maps."""
    module.network.backbone.forward = forward
    begin = time.perf_counter()
    optimizer.zero_grad()
    module.training_step(batch, 0).backward()
    optimizer.step()
    return time.perf_counter() - begin


def main() -> None:
    keep_memory()  # as every program does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=["lite0", "resnet50"])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument(
        "--shapes", type=int, default=1, help="heights, each a step of 32 pixels less than the one before"
    )
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    torch.manual_seed(0)
    for name in given.backbones:
        random = [] if name == "lite0" else ["backbone.pretrained=false"]  # weights make no difference in time
        module, optimizer = training("grid", [f"backbone={name}", *random])
        backbone = module.network.backbone.train()
        ways = {"plain": backbone.forward}
        compile_training(backbone, "inductor")
        ways["compiled"] = backbone.forward
        print(f"{name}: {given.images} images of {given.size} px, {torch.get_num_threads()} threads", flush=True)
        for height in range(given.size, given.size - 32 * given.shapes, -32):
            images = torch.randint(0, 256, (given.images, 3, height, given.size), dtype=torch.uint8)
            numbers = torch.arange(given.images)
            batch = Batch([images], numbers, numbers, numbers // 4)
            first = {key: step(module, optimizer, way, batch) for key, way in ways.items()}
            best = dict.fromkeys(ways, float("inf"))
            for _ in range(given.turns):
                for key, way in ways.items():
                    best[key] = min(best[key], step(module, optimizer, way, batch))
            print(
                f"  {height} × {given.size}: plain {best['plain']:.3f} s a step, compiled {best['compiled']:.3f}: "
                f"{best['compiled'] / best['plain']:.2f} of its time; compiling took {first['compiled']:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
