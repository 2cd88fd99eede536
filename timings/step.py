"""What a training step costs, as a multiple of the backbone's own forward and backward pass on the same images.

    python timings/step.py                                  # grid (first stage), rpn (third); 8 images of 288 px
    python timings/step.py --regions grid --turns 30
    OMP_WAIT_POLICY=PASSIVE python timings/step.py --cpu    # on a machine that others use: processor time

Each row adds a part of the step to the row before; the whole one is what Lightning calls: normalising, the network, the
loss and the figures that are logged, backward, clipping and the optimiser. Mining a pool and decoding are not in it.
The last row is the whole step with the backbone's maps given: what it adds, measured by itself, where the difference of
two long times would drown in noise. The rows take turns, and each ratio is one of the least times of all turns; the aim
is at most 1.25 for the whole step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deepret.config import compose, resolve
from deepret.data.loading import Batch
from deepret.memory import keep_memory
from deepret.models.build import build_network
from deepret.parts import build
from deepret.training.ranking import Ranking
from deepret.training.references.batch import WholeBatch

AIM = 1.25


class Given(nn.Module):
    """A backbone that has its maps already."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, _: Tensor) -> Tensor:
        """The maps, whatever the images."""
        return self.maps


def training(regions: str, overrides: list[str]) -> tuple[Ranking, torch.optim.Optimizer]:
    """The module of a ranking stage as it is trained, with a projection and an RPN that know nothing."""
    config = resolve(compose("train", [f"regions={regions}", *overrides]))
    network = build_network(config)
    if network.projection.needs_fit:
        network.projection.fit(torch.rand(2000, network.backbone.channels))
    if hasattr(network.regions, "is_trained"):
        network.regions.is_trained.fill_(True)
        network.regions.requires_grad_(False)  # its own loss trains an RPN, in a stage of its own
    optimizer = build(config["optimizer"], params=[p for p in network.parameters() if p.requires_grad])
    module = Ranking(
        network, build(config["loss"]), build(config["mining"]), WholeBatch(), lambda _: (optimizer, None), {}
    )
    module.log = module.log_dict = lambda *_, **__: None  # type: ignore[method-assign]
    module.on_train_epoch_start()
    return module.train(), optimizer


def parts_of_a_step(
    module: Ranking, optimizer: torch.optim.Optimizer, images: Tensor
) -> dict[str, Callable[[], object]]:
    """Each a whole pass, forward and backward, of more of the step than the one before; last, all but the backbone."""
    network: Any = module.network
    pixels = network.input(images)
    learning = [p for p in network.parameters() if p.requires_grad]
    count = len(images)
    batch = Batch([images], torch.arange(count), torch.arange(count), torch.arange(count) // 4)
    backbone = network.backbone
    given = Given(backbone(pixels).detach().requires_grad_())

    def alone() -> None:
        optimizer.zero_grad()
        backbone(pixels).sum().backward()

    def pooling() -> None:
        optimizer.zero_grad()
        maps = backbone(pixels)
        network.pooling(maps, network.regions(maps)).sum().backward()

    def codes() -> None:
        optimizer.zero_grad()
        network.codes(backbone(pixels)).vectors.sum().backward()

    def step() -> None:
        optimizer.zero_grad()
        rest()

    def rest() -> None:
        module.training_step(batch, 0).backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()

    def added() -> None:
        network.backbone, given.maps.grad = given, None
        rest()  # over the gradients that the step before left in the backbone
        network.backbone = backbone

    return {
        "backbone": alone,
        "+ regions, pooling": pooling,
        "+ projection, sum": codes,
        "whole step": step,
        "all but the backbone": added,
    }


def best_times(parts: dict[str, Callable[[], object]], turns: int, clock: Callable[[], float]) -> dict[str, float]:
    """The least seconds of each part over all turns, after one that warms up."""
    best = dict.fromkeys(parts, float("inf"))
    for turn in range(turns + 1):
        for name, work in parts.items():
            begin = clock()
            work()
            took = clock() - begin
            if turn:
                best[name] = min(best[name], took)
    return best


def main() -> None:
    keep_memory()  # as every program does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", nargs="+", default=["grid", "rpn"])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--size", type=int, default=288, help="larger side in pixels")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="processor time of all threads instead of the clock's")
    parser.add_argument("--overrides", nargs="*", default=[], help="other parts, such as backbone=resnet50")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.cpu else time.perf_counter

    for regions in given.regions:
        module, optimizer = training(regions, given.overrides)
        for height in (given.size, given.size * 3 // 4 // 32 * 32):
            images = torch.randint(0, 256, (given.images, 3, height, given.size), dtype=torch.uint8)
            best = best_times(parts_of_a_step(module, optimizer, images), given.turns, clock)
            base, added = best["backbone"], best["all but the backbone"]
            print(f"\n{regions}: {given.images} images of {height} × {given.size} px, {given.threads} threads")
            for name, took in best.items():
                print(f"  {name:22} {took * 1e3:8.1f} ms {took / base:8.3f}")
            print(f"  backbone and the rest, added up: {1 + added / base:.3f}; aim ≤ {AIM}", flush=True)


if __name__ == "__main__":
    main()
