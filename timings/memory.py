"""Memory and time of a ranking step in micro-batches, against a plain one, each measured in a process of its own.

    python timings/memory.py                                # 16 images of 800 px; the plain step takes about 12 GB
    python timings/memory.py --images 8 --size 512 --words backbone=resnet101 backbone.pretrained=false

The memory is the most that a process held beyond what it held before its first step: activations, gradients and the
state of the optimiser, as Linux counts them, with glibc told to give tensors of a megabyte back at once: holes in its
heap are no activations. The time is measured as programs run, in other processes. The aims: a batch in micro-batches of
one image takes at most 1.1 of what a batch of one image takes, and 1.6 of the plain step's time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from step import training

from deepret.data.loading import Batch
from deepret.memory import keep_memory

AIMS = (1.1, 1.6)


def measured(
    images: int, size: int, microbatch: int | None, steps: int, regions: str, words: list[str]
) -> dict[str, float]:
    """The gigabytes that steps take and the least seconds of one."""
    torch.manual_seed(0)
    module, optimizer = training(regions, words)
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


def apart(*settings: object) -> tuple[float, float]:
    """Gigabytes and seconds, each in a process of its own: the most memory that a process has held never falls."""
    gives_back, keeps = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}, {"KEEP": "1"}
    found = []
    for more in (gives_back, keeps):
        command = [sys.executable, __file__, "--measure", json.dumps(settings)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **more})
        found.append(json.loads(ended.stdout.splitlines()[-1]))
    return found[0]["GB"], found[1]["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--size", type=int, default=800, help="larger side in pixels")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--regions", default="grid")
    parser.add_argument("--words", nargs="*", default=[], help="other parts, such as backbone=resnet50")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        if "KEEP" in os.environ:
            keep_memory()  # as every program does
        print(json.dumps(measured(*json.loads(given.measure))))
        return
    rest = (given.steps, given.regions, given.words)
    one, seconds = apart(1, given.size, None, *rest)
    print(f"1 image of {given.size} px: {one:.2f} GB, {seconds:.2f} s a step", flush=True)
    for count in sorted({2, given.images // 2, given.images} - {0, 1}):
        memory, seconds = apart(count, given.size, 1, *rest)
        print(f"{count} images in micro-batches of 1: {memory:.2f} GB, {memory / one:.2f} of one image's", flush=True)
    plain, plain_seconds = apart(given.images, given.size, None, *rest)
    print(f"{given.images} images at once: {plain:.2f} GB, {plain / one:.2f} of one image's")
    print(
        f"micro-batches take {seconds / plain_seconds:.2f} of the plain step's time ({seconds:.1f} s against "
        f"{plain_seconds:.1f} s); the aims are {AIMS[0]} of the memory and {AIMS[1]} of the time"
    )


if __name__ == "__main__":
    main()
