"""Pairs of hashes that differ in few bits."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

Bytes = npt.NDArray[np.uint8]
ROWS, COLUMNS = 16, 4096
"""Of a block that is compared at once: 0.5 MiB, which stay near the processor."""
BAND = 2048
"""Rows between two steps of the bar."""
MOST = 200_000
"""Pairs that are kept; of more the nearest."""
LONG = 10**10
"""Comparisons of which it is said how long they take."""


def close_pairs(first: Bytes, second: Bytes | None, limit: int) -> npt.NDArray[np.int64]:
    """Rows (i, j, distance) (p, 3) of all pairs at a Hamming distance of ``limit`` at most, in order of i and j.

    Args:
        first: packed bits (n, bytes), whole words of 64, of which at most 255 differ.
        second: packed bits (m, bytes); None compares the first with itself, each pair once, i < j.
        limit: in bits.
    """
    same, one = second is None, _words(first)
    other = np.ascontiguousarray((one if second is None else _words(second)).T)
    n, m = len(one), other.shape[1]
    total = sum(min(BAND, n - top) * (m - _left(top, same)) for top in range(0, n, BAND))
    kept, start, done = np.zeros((0, 3), np.int64), time.perf_counter(), 0

    def strip(top: int, left: int) -> npt.NDArray[np.int64]:
        found = _strip(one[top : top + BAND], other[:, left : left + COLUMNS], limit)
        found[:, :2] += (top, left)
        return found

    with (
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        tqdm(total=total, desc="comparing", unit=" pairs", unit_scale=True, disable=None, leave=False) as bar,
    ):
        for top in range(0, n, BAND):
            lefts = range(_left(top, same), m, COLUMNS)
            new = np.concatenate([kept[:0], *pool.map(strip, [top] * len(lefts), lefts)])
            kept = np.concatenate([kept, new[new[:, 0] < new[:, 1]] if same else new])
            if len(kept) > 2 * MOST:
                kept = _nearest(kept)
            count = min(BAND, n - top) * (m - _left(top, same))
            bar.update(count)
            if not done and total > LONG:
                seconds = (total / count - 1) * (time.perf_counter() - start)
                bar.write(f"comparing {n:,} photographs with {m:,}, which takes {seconds / 60:,.0f} more minutes or so")
            done += count
    kept = _nearest(kept)
    ordered: npt.NDArray[Any] = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
    return ordered


def _left(top: int, same: bool) -> int:
    """The first column that a band of rows is compared with."""
    return top // COLUMNS * COLUMNS if same else 0


def _strip(one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64], limit: int) -> npt.NDArray[np.int64]:
    """The close pairs of rows (r, words) and columns (words, c)."""
    found = [np.zeros((0, 3), np.int64)]
    for top in range(0, len(one), ROWS):
        rows = one[top : top + ROWS]
        distance = np.bitwise_count(rows[:, 0, None] ^ other[0])
        for word in range(1, rows.shape[1]):
            distance += np.bitwise_count(rows[:, word, None] ^ other[word])
        i, j = (distance <= limit).nonzero()
        if len(i):
            found.append(np.stack([i + top, j, distance[i, j]], axis=1).astype(np.int64))
    return np.concatenate(found)


def _words(packed: Bytes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(packed).view(np.uint64)


def _nearest(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most ``MOST`` of the pairs."""
    if len(pairs) <= MOST:
        return pairs
    found: npt.NDArray[Any] = pairs[np.argsort(pairs[:, 2], kind="stable")[:MOST]]
    return found
