"""Near-duplicates: the same photograph twice, at another size, compression or brightness, cut a little or marked."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from deepret.data.check import report
from deepret.data.duplicates.found import kept_in, read_pairs, write_pairs
from deepret.data.duplicates.hamming import MOST, close_pairs
from deepret.data.duplicates.prints import Prints
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


def near_duplicates(first: Prints, second: Prints | None = None, cache: Path | None = None) -> list[Pair]:
    """The pairs that show one photograph, found by their hashes and confirmed by laying one upon the other.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, each pair once.
        cache: where they are kept, so that photographs of the same hashes are compared once, if all pairs were looked
            at and all files could be read; or None.
    """
    sides = [first] if second is None else [first, second]
    kept = None
    if cache is not None:
        rules = f"{DISTANCE} {SIMILAR} {MOST} {len(sides)}"
        kept = kept_in(cache, rules, *(side.bits.tobytes() + side.hashed.tobytes() for side in sides))
        found = read_pairs(kept)
        if found is not None:
            return [Pair(*row) for row in found]
    looked = compared(first, second)
    pairs = [pair for pair in looked if pair.similarity >= SIMILAR]
    if kept is not None and len(looked) < MOST and all(pair.similarity >= 0 for pair in looked):
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
        one, two = small(first.path(i)), small(other.path(j))
        return Pair(i, j, distance, -1.0 if one is None or two is None else similarity(one, two))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        looked = pool.map(confirmed, close)
        bar = tqdm(looked, "confirming", len(close), unit=" pairs", disable=None if close else True, leave=False)
        return list(bar)


def _near(first: Prints, second: Prints | None) -> list[tuple[int, int, int]]:
    """Rows of both and their distance, the nearest ``MOST``, in order."""
    one = _grouped(first)
    two = one if second is None else _grouped(second)
    hashes = first.bits[one.firsts]
    close = close_pairs(hashes, None if second is None else second.bits[two.firsts], DISTANCE)
    more = len(close) >= MOST
    close = close[np.argsort(close[:, 2], kind="stable")]
    found: list[tuple[int, int, int]] = []
    if second is None:
        found += [(group[0], i, 0) for group in map(one.group, one.several) for i in group[1:]]
    for a, b, distance in close.tolist():
        if len(found) >= MOST:
            more = True
            break
        left, right = one.group(a), two.group(b)
        star = [(left[0], j) for j in right] + [(i, right[0]) for i in left[1:]]
        found += [(*(sorted(pair) if second is None else pair), distance) for pair in star]
    if more or len(found) > MOST:
        report(
            f"more than {MOST:,} pairs of photographs have near hashes: the nearest are looked at, and copies among "
            f"the others are not found; take out what is there many times."
        )
    return sorted(found[:MOST])


class _Groups(NamedTuple):
    """Rows that have a hash, those of one hash beside each other, and where each hash begins, with the end."""

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @property
    def firsts(self) -> npt.NDArray[np.int64]:
        """The first row of each hash."""
        found: npt.NDArray[Any] = self.rows[self.starts[:-1]]
        return found

    @property
    def several(self) -> list[int]:
        """The hashes of more than one row."""
        return [int(place) for place in (np.diff(self.starts) > 1).nonzero()[0]]

    def group(self, place: int) -> list[int]:
        """The rows of a hash, in order."""
        return [int(row) for row in self.rows[self.starts[place] : self.starts[place + 1]]]


def _grouped(found: Prints) -> _Groups:
    rows = found.hashed.nonzero()[0]
    words = found.bits[rows].view(np.uint64)
    order = np.lexsort(words.T)  # which leaves equal ones in their order
    new = (words[order][1:] != words[order][:-1]).any(axis=1).nonzero()[0] + 1
    return _Groups(rows[order], np.concatenate([np.zeros(min(1, len(rows)), np.int64), new, [len(rows)]]))
