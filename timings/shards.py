"""What reading photographs from tar files costs against files of their own, and what their lists take in memory.

    python timings/shards.py                       # 400 generated photographs; a million made-up names
    python timings/shards.py --images 4000 --names 200000

Both are read and decoded in turns, in this process, from the disk's cache, so that it is the work of finding them that
is compared; the ratio is one of the least times. A disk over a network, for which tar files are made, is not measured.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import tempfile
import time
import tracemalloc
from pathlib import Path

from extraction import generated

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.photo import open_photo


def seconds(paths: list[Path], decode: bool) -> float:
    """The time that reading takes, with or without decoding."""
    begin = time.perf_counter()
    for path in paths:
        if decode:
            open_photo(path, max_side=256)
        else:
            members.content(path)
    return time.perf_counter() - begin


def packed(folder: Path, paths: list[Path]) -> list[Path]:
    """The same photographs in one tar file."""
    with tarfile.open(folder / "photographs.tar", "w") as tar:
        for path in paths:
            tar.add(path, path.name)
    return [folder / "photographs.tar" / path.name for path in paths]


def memory(names: int) -> tuple[float, float]:
    """Bytes a photograph of a tar's index and of a catalogue."""
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "names.tar"
        with tarfile.open(tar, "w") as file:
            for i in range(names):
                file.addfile(tarfile.TarInfo(f"{i:09d}.jpg"), io.BytesIO())
                file.members = []  # type: ignore[attr-defined]
        members.index(tar)
        members._index.cache_clear()  # as in a later run: from its file
        tracemalloc.start()
        members.index(tar)
        index = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    labels = [f"landmark {i}" for i in range(names // 100 + 1)]
    catalogue = Catalogue(
        Path("photos"),
        paths=[f"photographs-{i // 10_000:06d}.tar/{i:09d}.jpg" for i in range(names)],
        labels=[labels[i // 100] for i in range(names)],
        splits=["train"] * names,
        sizes=[(1024, 768 + i % 7) for i in range(names)],
        boxes=[[] for _ in range(names)],
        views=[False] * names,
    )
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return index / names, held / len(catalogue)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [photo.path for photo in generated(Path(folder), given.images)]
        sides = {"files": files, "members": packed(Path(folder), files)}
        for decode in (False, True):
            best = dict.fromkeys(sides, float("inf"))
            for _ in range(given.turns):
                best = {name: min(best[name], seconds(paths, decode)) for name, paths in sides.items()}
            each = {name: 1e6 * took / given.images for name, took in best.items()}
            work, ratio = "reading and decoding" if decode else "reading", each["members"] / each["files"]
            print(
                f"{work}: {each['files']:.0f} µs a file, {each['members']:.0f} a member, {ratio:.2f} of it", flush=True
            )
    index, catalogue = memory(given.names)
    print(f"{given.names:,} photographs: {index:.0f} bytes each in the index, {catalogue:.0f} in the catalogue")


if __name__ == "__main__":
    main()
