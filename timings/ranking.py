"""How long rankings take at the sizes of the field, and in how much memory beside the file that holds the codes.

    python timings/ranking.py                      # 70 × 1,001,001 and 60,502 × 60,502, of 512 dimensions
    python timings/ranking.py --share 0.1          # a tenth of both databases, to try

The first is a revisited benchmark with its million distractors, easy, medium and hard, the codes mapped from a file;
the aims are 60 s and 1 GB. The second is Stanford Online Products; the aim is 4 minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from deepret.benchmarks.metrics import average_precision, recall_at
from deepret.benchmarks.sources.descriptors import read_codes
from deepret.benchmarks.standing import stand
from deepret.memory import keep_memory

DIM = 512
QUERIES = 70
MILLION = 1_001_001
DATABASE = 4993
PRODUCTS = 60_502
BLOCK = 50_000


def write_codes(path: Path, count: int) -> None:
    """Random unit vectors, a block at a time."""
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, DIM))
    random = np.random.default_rng(0)
    for start in range(0, count, BLOCK):
        codes = random.standard_normal((min(BLOCK, count - start), DIM), dtype=np.float32)
        file[start : start + BLOCK] = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    file.flush()


class OwnMemory(threading.Thread):
    """The most gigabytes that were resident at once and no file's, looked at every hundredth of a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0

    def run(self) -> None:
        """Looks."""
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            field = next(line for line in lines if line.startswith("RssAnon"))
            self.most = max(self.most, int(field.split()[1]) / 2**20)
            time.sleep(0.01)


def main() -> None:
    keep_memory()  # as every program does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the databases")
    given = parser.parse_args()
    random = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "distractors.npy"
        write_codes(path, round(given.share * MILLION))
        official = torch.nn.functional.normalize(torch.randn(DATABASE, DIM, generator=random))
        queries = torch.nn.functional.normalize(official[:QUERIES] + 0.05 * torch.randn(QUERIES, DIM, generator=random))
        matter = [torch.randperm(DATABASE, generator=random)[:300] for _ in range(QUERIES)]
        easy, hard, junk = ([row[part] for row in matter] for part in (slice(100), slice(100, 200), slice(200, 300)))
        memory, begin = OwnMemory(), time.perf_counter()
        memory.start()
        standing = stand(queries, [official, read_codes(path)], matter)
        medium = [torch.cat(pair) for pair in zip(easy, hard, strict=True)]
        for positives, ignored in (
            (easy, [torch.cat(pair) for pair in zip(hard, junk, strict=True)]),
            (medium, junk),
            (hard, [torch.cat(pair) for pair in zip(easy, junk, strict=True)]),
        ):
            average_precision(standing.ranks(positives, ignored)).mean()
        seconds = time.perf_counter() - begin
        print(f"{QUERIES} × {standing.database:,} × {DIM}: {seconds:.1f} s, {torch.get_num_threads()} threads")
        print(f"memory beside the file, at most, torch's own included: {memory.most:.2f} GB", flush=True)
    count = round(given.share * PRODUCTS)
    codes = torch.nn.functional.normalize(torch.randn(count, DIM, generator=random))
    group = torch.arange(count) // 5
    matter = [torch.nonzero(group[max(0, i - 5) : i + 6] == group[i]).flatten() + max(0, i - 5) for i in range(count)]
    itself = [torch.tensor([i]) for i in range(count)]
    others = [row[row != i] for i, row in enumerate(matter)]
    begin = time.perf_counter()
    ranks = stand(codes, codes, matter).ranks(others, itself)
    for k in (1, 10, 100, 1000):
        recall_at(ranks, k).nanmean()
    print(f"{count:,} × {count:,} × {DIM}: {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
