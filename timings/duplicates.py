"""What the search for copies costs: a hash beside the look at a file, and comparing hashes.

    python timings/duplicates.py                       # 300 generated photographs; 190,000 hashes with 5,063
    python timings/duplicates.py --images 1000 --train 1000000

The look is timed in turns as it was before there were hashes, decoded at 32 pixels, and as it is; in seconds of the
processor, so that other work on the machine counts little. Comparing is timed by the clock, on random bits.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from extraction import generated

from deepret.data.check import look
from deepret.data.duplicates.hamming import close_pairs
from deepret.data.duplicates.pairs import DISTANCE
from deepret.data.photo import decode, header_size


def look_without_hash(path: Path) -> None:
    header_size(path)
    decode(path, max_side=32)


def processor_seconds(task: Callable[[Path], object], paths: list[Path]) -> float:
    begin = time.process_time()
    for path in paths:
        task(path)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--train", type=int, default=190_000)
    parser.add_argument("--scored", type=int, default=5_063)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = [photo.path for photo in generated(Path(folder), given.images)]
        times = [(processor_seconds(look_without_hash, paths), processor_seconds(look, paths)) for _ in range(3)]
    plain, hashed = (1000 * min(column) / given.images for column in zip(*times, strict=True))
    print(f"a look: {plain:.2f} ms without a hash, {hashed:.2f} ms with one, ratio {hashed / plain:.2f}")
    random = np.random.default_rng(0)
    first, second = (random.integers(0, 256, (n, 32), dtype=np.uint8) for n in (given.train, given.scored))
    begin = time.perf_counter()
    close_pairs(first, second, DISTANCE)
    took, most = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{given.train:,} hashes with {given.scored:,}: {took:.1f} s, {most:.0f} MiB in all")


if __name__ == "__main__":
    main()
