"""Near-duplicates: the same photograph twice, at another size, compression or brightness, cut a little or marked."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from deepret.data.check import first as first_of
from deepret.data.check import report
from deepret.data.duplicates.equal import equal_files
from deepret.data.duplicates.found import kept_in, read_pairs, write_pairs
from deepret.data.duplicates.groups import Groups, grouped
from deepret.data.duplicates.hamming import MOST, close_pairs
from deepret.data.duplicates.prints import Prints
from deepret.data.duplicates.registration import RULES, Array, grey, similarity

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
        cache: where they are kept, so that the same files are compared once, if all pairs were looked at and all files
            could be read; or None.
    """
    sides = [first] if second is None else [first, second]
    kept = None
    if cache is not None:
        kept = kept_in(cache, f"{DISTANCE} {SIMILAR} {MOST} {RULES}", *sides)
        found = read_pairs(kept)
        if found is not None:
            return [Pair(*row) for row in found]
    looked, whole = compared(first, second)
    pairs = [pair for pair in looked if pair.similarity >= SIMILAR]
    if kept is not None and whole and all(pair.similarity >= 0 for pair in looked):
        write_pairs(kept, [(*pair,) for pair in pairs])
    return pairs


def compared(first: Prints, second: Prints | None = None) -> tuple[list[Pair], bool]:
    """The pairs whose hashes are near, with how alike their photographs are, and whether these are all.

    How alike is −1 where a file cannot be read.

    A photograph stands for those of the same hash that are found to be copies of it: each is laid upon those that
    stand for others, and each upon those of them whose hash is near, so that a picture that is there a thousand times
    is no million pairs.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, each pair once.
    """
    other = first if second is None else second
    one = grouped(first)
    two = one if second is None else grouped(second)
    close = close_pairs(first.bits[one.firsts], None if second is None else second.bits[two.firsts], DISTANCE)
    close = close[np.argsort(close[:, 2], kind="stable")]
    more = len(close) >= MOST
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        look = _Look(pool)
        left = _Standing(first, one, look, set(one.several) if second is None else set(close[:, 0].tolist()))
        right = left if second is None else _Standing(second, two, look, set(close[:, 1].tolist()))
        rows: list[tuple[int, int, int]] = []
        for a, b, distance in close.tolist():
            if len(rows) > MOST:
                break
            star = [(i, j) for i in left.heads(a) for j in two.group(b)]
            star += [(i, j) for i in left.others(a) for j in right.heads(b)]
            rows += [(j, i, distance) if second is None and j < i else (i, j, distance) for i, j in star]
        found = [*left.looked] if second is None else []
        more |= left.more or right.more or len(found) + len(rows) > MOST
        if more:
            report(
                f"more than {MOST:,} pairs of photographs have near hashes: the nearest are looked at, and copies "
                f"among the others are not found; take out what is there many times."
            )
        rows = rows[: MOST - len(found)]
        alike = look([(first.path(i), other.path(j)) for i, j, _ in rows])
    if look.unread:
        named = first_of(sorted(map(str, look.unread)), 3)
        report(f"{len(look.unread):,} photographs cannot be read any more, so no copies of them are found: {named}")
    found += [Pair(*row, value) for row, value in zip(rows, alike, strict=True)]
    found += [Pair(i, j, 0, 1.0) for i, j in equal_files(first, second)]
    return sorted(found), not more


class _Look:
    """How alike pairs of files are, −1 where one cannot be read, which ``unread`` names."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool, self.unread = pool, set[Path]()
        self.read = lru_cache(maxsize=4096)(self._read)

    def _read(self, path: Path) -> Array | None:
        try:
            return grey(path)
        except Exception:  # its disk has failed, or it has gone meanwhile
            self.unread.add(path)
            return None

    def _alike(self, pair: tuple[Path, Path]) -> float:
        one, two = map(self.read, pair)
        return -1.0 if one is None or two is None else similarity(one, two)

    def __call__(self, pairs: list[tuple[Path, Path]]) -> list[float]:
        looked = self.pool.map(self._alike, pairs)
        return list(tqdm(looked, "confirming", len(pairs), unit=" pairs", disable=None if pairs else True, leave=False))


class _Standing:
    """Which photographs of a side stand for others of the same hash.

    ``looked`` has the pairs that were compared for it, ``more`` whether some were left out.
    """

    def __init__(self, side: Prints, groups: Groups, look: _Look, places: set[int]) -> None:
        self.groups, self.looked, self.more = groups, list[Pair](), False
        self._heads: dict[int, list[int]] = {}
        waiting = {place: groups.group(place) for place in groups.several if place in places}
        while waiting:
            asked = []
            for place, rows in waiting.items():
                self._heads.setdefault(place, []).append(rows[0])
                asked += [(place, rows[0], i) for i in rows[1:]]
            room = MOST - len(self.looked)
            self.more |= len(asked) > room
            alike = look([(side.path(head), side.path(i)) for _, head, i in asked[:room]])
            self.looked += [Pair(head, i, 0, value) for (_, head, i), value in zip(asked, alike, strict=False)]
            waiting = {}
            for (place, _, i), value in zip(asked, alike, strict=False):
                if value < SIMILAR:
                    waiting.setdefault(place, []).append(i)

    def heads(self, place: int) -> list[int]:
        """Those of a hash that stand for others, and for themselves."""
        return self._heads.get(place) or self.groups.group(place)[:1]

    def others(self, place: int) -> list[int]:
        """The others of the hash."""
        heads = self.heads(place)
        return [i for i in self.groups.group(place) if i not in heads]
