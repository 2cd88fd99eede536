"""How fast two processes on two cores train, as a share of one process with two threads; and what more would send.

    python timings/ranks.py                           # in turns, three of each; a minute and a half a turn
    python timings/ranks.py --turns 5 --words regions=grid backbone=resnet18
    python timings/ranks.py --plan                    # bytes alone, for 8, 64 and 512 ranks

Whole programs, decoding and logging in them, with as many decoding processes in all; what is compared is the images a
second that the last epoch logs, the best of all turns. The aim is at least 0.9.

What a step sends at each rank, and receives as much, of w ranks with n images each, in rings: codes of D float32,
(w − 1)·n·D·4 bytes; their gradient, summed over the ranks, 2 (w − 1)·n·D·4; the weights' gradient, 2 (w − 1)/w times
four bytes a weight. The loss looks at (w·n)² pairs on every rank.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from deepret.config import compose, resolve
from deepret.models.build import build_network

ROOT = Path(__file__).resolve().parents[1]
AIM = 0.9
SIZES = (
    "debug=fast",
    "input.size=224",
    "batch.size=224",
    "batch.images=16",
    "batch.images_per_class=4",
    "stages.steps=8",
    "stages.ranking=2",
)
SIDES = {
    "one process, two threads": ("trainer=cpu", "threads=2", "workers=2"),
    "two processes": ("trainer=ddp_sim", "threads=1", "workers=1"),
}


def images_a_second(cache: str, words: list[str]) -> float:
    """What a training logs at the last step."""
    with tempfile.TemporaryDirectory() as folder:
        given = [*SIZES, "benchmark=none", "stages.validate_every=9", f"cache={cache}", f"output={folder}", *words]
        command = [sys.executable, str(ROOT / "train.py"), *given]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(ended.stderr)
        run = json.loads(ended.stdout.splitlines()[-1])["run"]
        with (Path(run) / "metrics.csv").open(newline="") as file:
            return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "images/s"][-1]


def plan(words: list[str], images: int) -> None:
    """Prints what a step sends and receives at each rank."""
    config = resolve(compose("train", words))
    weights = sum(p.numel() for p in build_network(config, weights=False).parameters() if p.requires_grad)
    print(f"{weights / 1e6:.1f} million weights, codes of {config['dim']}, {images} images a rank")
    print("ranks   batch   codes MB   their gradient MB   weights' gradient MB   matrix of pairs MB")
    for ranks in (2, 8, 64, 512):
        codes = (ranks - 1) * images * config["dim"] * 4 / 1e6
        gradient = 2 * (ranks - 1) / ranks * weights * 4 / 1e6
        pairs = (ranks * images) ** 2 * 4 / 1e6
        print(f"{ranks:5} {ranks * images:7} {codes:10.2f} {2 * codes:19.2f} {gradient:22.1f} {pairs:20.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--words", nargs="*", default=["regions=grid"], help="other parts, such as backbone=resnet18")
    parser.add_argument("--images", type=int, default=8, help="images a rank in the plan")
    parser.add_argument("--plan", action="store_true", help="bytes alone")
    given = parser.parse_args()
    plan(given.words, given.images)
    if given.plan:
        return
    best = dict.fromkeys(SIDES, 0.0)
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(given.turns):
            for name, words in SIDES.items():
                found = images_a_second(cache, [*words, *given.words])
                best[name] = max(best[name], found)
                print(f"{name}: {found:.2f} images/s", flush=True)
    one, two = best.values()
    print(f"two processes reach {two / one:.2f} of one with two threads; the aim is {AIM}")


if __name__ == "__main__":
    main()
