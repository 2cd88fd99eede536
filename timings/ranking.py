"""How long rankings take at the sizes of the field, and in how much memory beside the file that holds the codes.

    python timings/ranking.py                      # 70 × 1,001,001 and 60,502 × 60,502, of 512 dimensions
    python timings/ranking.py --share 0.1          # a tenth of both databases, to try

The first is ROxford5k with its million distractors as ``eval.py`` runs it, from files of codes and a made-up ground
truth of the official layout: reading and checking the files, easy, medium and hard, the distractors mapped from their
file; the aims are 60 s and 1 GB. The second is Stanford Online Products; the aim is 4 minutes.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from deepret.benchmarks.metrics import recall_at
from deepret.benchmarks.roxford5k import ROxford5k
from deepret.benchmarks.standing import stand
from deepret.data.photo import Photo
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


def write_revisited(root: Path, random: torch.Generator) -> None:
    """``gnd_roxford5k.pkl`` of the official layout and sizes, and codes of its photographs and of its queries."""
    names = [f"photo_{i:04d}" for i in range(DATABASE)]
    queries = [f"query_{i:02d}" for i in range(QUERIES)]
    codes = torch.nn.functional.normalize(torch.randn(DATABASE, DIM, generator=random))
    asked = torch.nn.functional.normalize(codes[:QUERIES] + 0.05 * torch.randn(QUERIES, DIM, generator=random))
    gnd = []
    for _ in range(QUERIES):
        easy, hard, junk = torch.randperm(DATABASE, generator=random)[:300].view(3, 100).tolist()
        gnd.append({"bbx": [0.0, 0.0, 99.0, 99.0], "easy": easy, "hard": hard, "junk": junk})
    (root / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({"imlist": names, "qimlist": queries, "gnd": gnd}))
    for name, listed, table in (("database", names, codes), ("queries", queries, asked)):
        np.save(root / f"{name}.npy", table.numpy())
        (root / f"{name}.txt").write_text("\n".join(listed))


def no_photographs(photos: Sequence[Photo]) -> torch.Tensor:
    """Describes nothing: codes are in files."""
    raise AssertionError("codes are in files")


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
        root = Path(folder)
        million = round(given.share * MILLION)
        write_revisited(root, random)
        write_codes(root / "R1M.npy", million)
        files = [str(root / f"{name}.npy") for name in ("database", "queries", "R1M")]
        memory, begin = OwnMemory(), time.perf_counter()
        memory.start()
        benchmark = ROxford5k(folder, descriptors=files[0], queries=files[1], distractors=files[2])
        result = benchmark.evaluate(no_photographs)
        seconds = time.perf_counter() - begin
        print(f"{result.benchmark}: {result.counts}, {sorted(result.metrics)}")
        size = result.counts["database"]
        print(f"{QUERIES} × {size:,} × {DIM}: {seconds:.1f} s, {torch.get_num_threads()} threads")
        print(f"memory beside the file, at most, torch's own included: {memory.most:.2f} GB", flush=True)
    count = round(given.share * PRODUCTS)
    codes = torch.nn.functional.normalize(torch.randn(count, DIM, generator=random))
    group = torch.arange(count) // 5
    matter = [torch.nonzero(group[max(0, i - 5) : i + 6] == group[i]).flatten() + max(0, i - 5) for i in range(count)]
    itself = [torch.tensor([i]) for i in range(count)]
    others = [row[row != i] for i, row in enumerate(matter)]
    begin = time.perf_counter()
    ranks = stand(codes, codes, matter, 1).ranks(others, itself)
    for k in (1, 10, 100, 1000):
        recall_at(ranks, k).nanmean()
    print(f"{count:,} × {count:,} × {DIM}: {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
