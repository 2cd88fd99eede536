"""Near-duplicates: the same photograph twice, at another size, compression or brightness, cut a little or marked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from deepret.data.check import look_at_all
from deepret.data.duplicates.fingerprint import packed
from deepret.data.duplicates.hamming import close_pairs
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
    seen = look_at_all(root, paths, cache)
    return Prints([root / path for path in paths], [what.hash for what in seen], [what.wrong for what in seen])


def near_duplicates(first: Prints, second: Prints | None = None) -> list[Pair]:
    """The pairs that show one photograph, found by their hashes and confirmed by laying one upon the other.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, each pair once.
    """
    return [pair for pair in compared(first, second) if pair.similarity >= SIMILAR]


def compared(first: Prints, second: Prints | None = None) -> list[Pair]:
    """All pairs whose hashes are near, with how alike their photographs are.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, each pair once.
    """
    other = first if second is None else second
    rows, columns = _hashed(first), _hashed(other)
    if not len(rows) or not len(columns):
        return []
    bits = packed([first.hashes[i] for i in rows])
    close = close_pairs(bits, None if second is None else packed([other.hashes[i] for i in columns]), DISTANCE)

    @lru_cache(maxsize=4096)
    def small(path: Path) -> Array | None:
        try:
            return grey(path)
        except Exception:  # a file that has gone meanwhile; whoever needs it will say so
            return None

    def confirmed(pair: npt.NDArray[np.int64]) -> Pair:
        i, j = int(rows[pair[0]]), int(columns[pair[1]])
        one, two = small(first.paths[i]), small(other.paths[j])
        return Pair(i, j, int(pair[2]), 0.0 if one is None or two is None else similarity(one, two))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        looked = pool.map(confirmed, close)
        bar = tqdm(looked, "confirming", len(close), unit=" pairs", disable=None if len(close) else True, leave=False)
        return list(bar)


def _hashed(found: Prints) -> npt.NDArray[np.int64]:
    return np.array([i for i, text in enumerate(found.hashes) if text], dtype=np.int64)
