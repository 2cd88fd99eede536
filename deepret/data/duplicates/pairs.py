"""Near-duplicates: the same photograph twice, at another size, compression or brightness, cut a little or marked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from deepret.data.check import Seen, kept_for, look_at_all, report
from deepret.data.duplicates.fingerprint import packed
from deepret.data.duplicates.found import kept_in, read_pairs, write_pairs
from deepret.data.duplicates.hamming import MOST, close_pairs
from deepret.data.duplicates.registration import Array, grey, similarity

DISTANCE = 88
"""Bits of 255 in which the hashes of a copy differ at most; pairs beyond are not looked at."""
SIMILAR = 0.95
"""The ``similarity`` of a copy at least."""


class Pair(NamedTuple):
    """Two rows that show one photograph, in how many bits their hashes differ, and how alike they are, 0…1."""

    first: int
    second: int
    distance: int
    similarity: float


class Prints(NamedTuple):
    """Photographs in columns: paths, hashes (empty where there is none), and what is wrong with each file."""

    paths: list[Path]
    hashes: list[str]
    wrong: list[str]

    def subset(self, rows: Sequence[int]) -> Prints:
        """Some rows, in their order."""
        paths, hashes, wrong = self
        return Prints([paths[i] for i in rows], [hashes[i] for i in rows], [wrong[i] for i in rows])

    @property
    def flat(self) -> int:
        """How many show too little to have a hash."""
        return sum(not text and not why for text, why in zip(self.hashes, self.wrong, strict=True))


def prints(root: Path, paths: Sequence[str], cache: Path | None) -> Prints:
    """The hashes of a folder's photographs; those that have been looked at are not decoded again.

    Args:
        root: the folder.
        paths: photographs in it, or anywhere by an absolute path.
        cache: where it is kept what was found, or None.
    """
    groups: dict[Path, list[int]] = {}
    known: dict[Path, Path] = {}
    for i, path in enumerate(paths):
        groups.setdefault(_looked_at_in(root, Path(path), cache, known), []).append(i)
    seen = [Seen(0, 0, "")] * len(paths)
    for folder, rows in groups.items():
        inside = [_name(folder, root / paths[i]) for i in rows]
        for i, what in zip(rows, look_at_all(folder, inside, cache), strict=True):
            seen[i] = what
    return Prints([root / path for path in paths], [what.hash for what in seen], [what.wrong for what in seen])


def _looked_at_in(root: Path, path: Path, cache: Path | None, known: dict[Path, Path]) -> Path:
    """The folder with which it is kept what a photograph is: for one elsewhere that of its own data, if there is any.

    Args:
        root: the folder of the others.
        path: in it, or absolute.
        cache: where it is kept.
        known: the answers for folders.
    """
    if cache is None or not path.is_absolute() or path.is_relative_to(root.absolute()):
        return root
    if path.parent not in known:
        kept = (folder for folder in path.parents if kept_for(folder, cache).is_file())
        known[path.parent] = next(kept, root)
    return known[path.parent]


def _name(folder: Path, path: Path) -> str:
    """What a photograph is called in a folder."""
    for above in (folder, folder.absolute()):
        if path.is_relative_to(above):
            return path.relative_to(above).as_posix()
    return str(path)


def near_duplicates(first: Prints, second: Prints | None = None, cache: Path | None = None) -> list[Pair]:
    """The pairs that show one photograph, found by their hashes and confirmed by laying one upon the other.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, each pair once.
        cache: where they are kept, so that photographs of the same hashes are compared once; or None.
    """
    sides = [first] if second is None else [first, second]
    kept = None
    if cache is not None:
        rules = f"{DISTANCE} {SIMILAR} {MOST} {len(sides)}"
        kept = kept_in(cache, rules, *("\n".join(side.hashes).encode() for side in sides))
        found = read_pairs(kept)
        if found is not None:
            return [Pair(*row) for row in found]
    looked = compared(first, second)
    pairs = [pair for pair in looked if pair.similarity >= SIMILAR]
    if kept is not None and all(pair.similarity >= 0 for pair in looked):
        write_pairs(kept, [(*pair,) for pair in pairs])
    return pairs


def compared(first: Prints, second: Prints | None = None) -> list[Pair]:
    """The pairs whose hashes are near, with how alike their photographs are; −1 where a file cannot be read.

    Of photographs with one hash the first stands for the others: each is laid upon that one, and each upon the first
    of those whose hash is near, so that a picture that is there a thousand times is no million pairs.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, each pair once.
    """
    close = _near(first, second)
    other = first if second is None else second

    @lru_cache(maxsize=4096)
    def small(path: Path) -> Array | None:
        try:
            return grey(path)
        except Exception:  # a file that has gone meanwhile; whoever needs it will say so
            return None

    def confirmed(row: tuple[int, int, int]) -> Pair:
        i, j, distance = row
        one, two = small(first.paths[i]), small(other.paths[j])
        return Pair(i, j, distance, -1.0 if one is None or two is None else similarity(one, two))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        looked = pool.map(confirmed, close)
        bar = tqdm(looked, "confirming", len(close), unit=" pairs", disable=None if close else True, leave=False)
        return list(bar)


def _near(first: Prints, second: Prints | None) -> list[tuple[int, int, int]]:
    """Rows of both and their distance, the nearest ``MOST``, in order."""
    one = _grouped(first)
    two = one if second is None else _grouped(second)
    if not one or not two:
        return []
    close = close_pairs(packed(list(one)), None if second is None else packed(list(two)), DISTANCE)
    rows, columns = list(one.values()), list(two.values())
    more = len(close) >= MOST
    close = close[np.argsort(close[:, 2], kind="stable")]
    found: list[tuple[int, int, int]] = []
    if second is None:
        found += [(group[0], i, 0) for group in rows for i in group[1:]]
    for a, b, distance in close.tolist():
        if len(found) >= MOST:
            more = True
            break
        left, right = rows[a], columns[b]
        star = [(left[0], j) for j in right] + [(i, right[0]) for i in left[1:]]
        found += [(*(sorted(pair) if second is None else pair), distance) for pair in star]
    if more or len(found) > MOST:
        report(
            f"more than {MOST:,} pairs of photographs have near hashes: the nearest are looked at, and copies among "
            f"the others are not found; take out what is there many times."
        )
    return sorted(found[:MOST])


def _grouped(found: Prints) -> dict[str, list[int]]:
    """The rows of each hash, in the order of the first ones."""
    groups: dict[str, list[int]] = {}
    for i, text in enumerate(found.hashes):
        if text:
            groups.setdefault(text, []).append(i)
    return groups
