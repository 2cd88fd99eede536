"""Memory and time of a ranking step in micro-batches, against a plain one, each measured in a process of its own.

    python timings/memory.py                                # 16 images of 800 px; the plain step takes about 16 GB
    python timings/memory.py --images 8 --size 512

The memory is the most that a process held beyond what it held before its first step: activations, gradients and the
state of the optimiser, as Linux counts them. The aims: a batch in micro-batches of one image takes at most 1.1 of what
a batch of one image takes, and 1.6 of the plain step's time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from step import training

from deepret.data.loading import Batch

AIMS = (1.1, 1.6)


def measured(images: int, size: int, microbatch: int | None, steps: int, regions: str) -> dict[str, float]:
    """The gigabytes that steps take and the least seconds of one.

    glibc is left to give memory back as it likes, so that what is counted was in use.
    """
    torch.manual_seed(0)
    module, optimizer = training(regions, [])
    module.microbatch = microbatch
    pixels = torch.randint(0, 256, (images, 3, size * 3 // 4 // 32 * 32, size), dtype=torch.uint8)
    labels = torch.arange(images) // 2
    batch = Batch([pixels], torch.arange(images), torch.arange(images), labels)
    Path("/proc/self/clear_refs").write_text("5")  # the most so far is what is held now
    before, best = most_held(), float("inf")
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss = module.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        best = min(best, time.perf_counter() - begin)
    return {"GB": most_held() - before, "seconds": best}


def most_held() -> float:
    """Gigabytes that this process has held at most since that was last reset."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e9


def apart(*settings: object) -> dict[str, float]:
    """The same, in a process of its own: the most memory that a process has held never falls."""
    ended = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(settings)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--size", type=int, default=800, help="larger side in pixels")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--regions", default="grid")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(*json.loads(given.measure))))
        return
    rest = (given.steps, given.regions)
    one = apart(1, given.size, None, *rest)
    print(f"1 image of {given.size} px: {one['GB']:.2f} GB, {one['seconds']:.1f} s a step", flush=True)
    memory: dict[int, float] = {}
    for count in sorted({2, given.images // 2, given.images}):
        found = apart(count, given.size, 1, *rest)
        memory[count] = found["GB"] / one["GB"]
        print(f"{count} images in micro-batches of 1: {found['GB']:.2f} GB, {memory[count]:.2f} of one image's")
    plain = apart(given.images, given.size, None, *rest)
    print(f"{given.images} images at once: {plain['GB']:.2f} GB, {plain['GB'] / one['GB']:.2f} of one image's")
    print(
        f"micro-batches take {found['seconds'] / plain['seconds']:.2f} of the plain step's time "
        f"({found['seconds']:.1f} s against {plain['seconds']:.1f} s); aim ≤ {AIMS[1]}; memory aim ≤ {AIMS[0]}"
    )


if __name__ == "__main__":
    main()
