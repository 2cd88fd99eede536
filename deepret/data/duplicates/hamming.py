"""Pairs of hashes that differ in few bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

Bytes = npt.NDArray[np.uint8]
ROWS, COLUMNS = 2048, 8192
"""Of a block that is compared at once: 64 MiB of float32."""
MOST = 200_000
"""Pairs that are kept; of more the nearest."""


def close_pairs(first: Bytes, second: Bytes | None, limit: int) -> npt.NDArray[np.int64]:
    """Rows (i, j, distance) (p, 3) of all pairs at a Hamming distance of ``limit`` at most, in order of i and j.

    Each block is one matrix product of bits as ±1, so that distance = (bits − dot) / 2.

    Args:
        first: packed bits (n, bytes).
        second: packed bits (m, bytes); None compares the first with itself, each pair once, i < j.
        limit: in bits.
    """
    other = first if second is None else second
    bits = 8 * first.shape[1]
    kept = np.zeros((0, 3), np.int64)
    corners = list(_corners(len(first), len(other), second is None))
    total = sum(rows * columns for *_, rows, columns in corners)
    bar = tqdm(total=total, desc="comparing", unit=" pairs", unit_scale=True, disable=None, leave=False)
    with bar:
        for top, left, rows, columns in corners:
            dots = _signs(first[top : top + rows]) @ _signs(other[left : left + columns]).T
            found = (dots >= bits - 2 * limit).nonzero()
            distance = (bits - dots[found[:, 0], found[:, 1]]) / 2
            new = torch.cat([found + torch.tensor([top, left]), distance.round().long()[:, None]], dim=1).numpy()
            kept = np.concatenate([kept, new if second is not None else new[new[:, 0] < new[:, 1]]])
            if len(kept) > 2 * MOST:
                kept = _nearest(kept)
            bar.update(rows * columns)
    kept = _nearest(kept)
    ordered: npt.NDArray[Any] = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
    return ordered


def _corners(n: int, m: int, same: bool) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, rows and columns of the blocks that hold pairs."""
    for top in range(0, n, ROWS):
        for left in range(0, m, COLUMNS):
            if not same or left + COLUMNS > top:
                yield top, left, min(ROWS, n - top), min(COLUMNS, m - left)


def _signs(packed: Bytes) -> Tensor:
    return torch.from_numpy(np.unpackbits(packed, axis=1).astype(np.float32)) * 2 - 1


def _nearest(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most ``MOST`` of the pairs."""
    if len(pairs) <= MOST:
        return pairs
    found: npt.NDArray[Any] = pairs[np.argsort(pairs[:, 2], kind="stable")[:MOST]]
    return found
