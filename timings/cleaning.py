"""How fast cleaning compares, and what memory a large class takes.

    python timings/cleaning.py                      # rendered views at 512 px; a class of 5,000 made-up photographs
    python timings/cleaning.py --images 20000

Pairs are compared with features that are kept already, on every core. The large class has random features, as many of
each photograph as there are at most, which are made anew where a program would read them from disk; its shortlist is
made, and some of its blocks compared, in a process of its own. The aims: 40 pairs a second on 2 cores, and 2 GB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from deepret.cleaning.features.base import Features
from deepret.cleaning.features.rootsift import RootSIFT
from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.matched import Matcher
from deepret.cleaning.pairs.compared import compare
from deepret.cleaning.pairs.plan import Plan
from deepret.cleaning.parallel import cores, each
from deepret.cleaning.shortlist.vocabulary import Vocabulary
from deepret.cleaning.verification.affine import Affine
from deepret.data.scenes.source import Scenes


class MadeUp(FeatureStore):
    """Random features for any path."""

    def _found(self, path: str) -> tuple[Features, str]:
        random = np.random.default_rng(int(path))
        count = self.extractor.count
        points = random.uniform(0, self.extractor.size, (count, 2)).astype(np.float32)
        return Features(points, random.integers(0, 256, (count, 128), dtype=np.uint8), 1.0), ""


def pairs_a_second(cache: Path) -> float:
    scenes = Scenes(train_classes=4, val_classes=1, test_classes=1, images_per_class=10, distractors=0, size=512)
    root = scenes.folder()
    paths = sorted(str(path.relative_to(root)) for path in (root / "train").rglob("*.jpg"))
    store = FeatureStore(root, RootSIFT(size=512), cache)
    found = [store.features(path) for path in paths]
    pairs = list(combinations(range(len(paths)), 2))
    blocks = [pairs[i : i + 100] for i in range(0, len(pairs), 100)]
    begin = time.perf_counter()
    for _ in each(lambda block: compare(block, found.__getitem__, Affine()), blocks, None):
        pass
    return len(pairs) / (time.perf_counter() - begin)


def large_class(images: int, folder: str) -> None:
    store = MadeUp(Path(folder), RootSIFT(), Path(folder))
    shortlist = Vocabulary()
    paths = [str(i) for i in range(images)]
    matcher = Matcher(paths, Plan([list(range(images))], []), store, Affine(), shortlist, Path(folder))
    begin = time.perf_counter()
    matcher.partners(0)
    took = time.perf_counter() - begin
    matcher.run(matcher.blocks[:20])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"a class of {images:,}: shortlist in {took:.0f} s, {len(matcher.blocks):,} blocks, {most:.2f} GB in all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{pairs_a_second(Path(folder)):.0f} pairs a second on {cores()} cores at 512 px")
        process = multiprocessing.get_context("spawn").Process(target=large_class, args=(given.images, folder))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
