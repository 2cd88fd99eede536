"""Exact search by inner product with torch alone, in blocks, with ties that always fall the same way.

A score and a position become one integer, so that a single comparison orders both:

    key = order(score) · 2³² + (2³² − 1 − position),   order: float32 → int32, monotone

No two keys of a query are equal: the higher score wins, and of equal scores the lower position.
"""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor
from torch.nn.functional import pad

from deepret.errors import UserError

LOWEST = torch.iinfo(torch.int64).min
"""A key below every score's."""

_TAIL = 2**32 - 1
_ROWS = 16


def inner_products(queries: Tensor, codes: Tensor) -> Tensor:
    """Inner products (Q, n) of queries (Q, D) and codes (n, D), the same for equal codes wherever they stand.

    A matrix product rounds the last rows of a table otherwise where they do not fill its registers: zeros fill both
    tables to a multiple of 16 rows, of the codes a copy of the last ones alone.
    """
    asked, whole = _filled(queries), len(codes) - len(codes) % _ROWS
    scores = asked @ codes[:whole].T
    if whole < len(codes):
        rest = asked @ _filled(codes[whole:]).T
        scores = torch.cat([scores, rest[:, : len(codes) - whole]], dim=1)
    return scores[: len(queries)]


def _filled(table: Tensor) -> Tensor:
    return pad(table, (0, 0, 0, -len(table) % _ROWS)) if len(table) % _ROWS else table


def order_keys(scores: Tensor, first: int = 0) -> Tensor:
    """Keys (Q, n) int64, no two of a row equal, of scores (Q, n) float32 at positions ``first`` … ``first + n − 1``."""
    bits = (scores + 0.0).view(torch.int32)  # −0 and +0 are one score
    bits ^= (bits >> 31).bitwise_and_(0x7FFFFFFF)  # the larger of two negative floats has the smaller bits
    keys = bits.to(torch.int64)
    keys <<= 32
    keys |= _TAIL - torch.arange(first, first + scores.shape[1], device=scores.device)
    return keys


def split_keys(keys: Tensor) -> tuple[Tensor, Tensor]:
    """The scores (float32) and positions (int64) that ``order_keys`` put together, both shaped like ``keys``."""
    bits = (keys >> 32).to(torch.int32)
    bits ^= (bits >> 31).bitwise_and_(0x7FFFFFFF)
    return bits.view(torch.float32), _TAIL - (keys & _TAIL)


def top_k(
    queries: Tensor, database: Tensor, k: int, *, block: int = 2**16, pairs: int = 2**23
) -> tuple[Tensor, Tensor]:
    """The k rows of the database with the largest inner products, best first.

    Args:
        queries: (Q, D) float32.
        database: (n, D) float32; it may be mapped from a file.
        k: how many; fewer are given where the database is smaller.
        block: rows of the database compared at once.
        pairs: scores held at once.

    Returns:
        scores (Q, min(k, n)) float32 and positions (Q, min(k, n)) int64; equal scores by position.
    """
    k = min(k, len(database))
    step = max(1, pairs // max(1, min(block, len(database))))
    found = []
    for chunk in torch.split(queries, step):
        best = torch.empty(len(chunk), 0, dtype=torch.int64, device=queries.device)
        for first in range(0, len(database), block):
            keys = order_keys(inner_products(chunk, database[first : first + block]), first)
            keys = keys.topk(min(k, keys.shape[1])).values
            best = torch.cat([best, keys], dim=1)
            best = best.topk(min(k, best.shape[1])).values
        found.append(best)
    return split_keys(torch.cat(found) if found else torch.empty(0, k, dtype=torch.int64, device=queries.device))


class ExactIndex:
    """Compares every query with every code; nothing is approximated and nothing but torch is needed.

    Training and evaluation do without it: benchmarks that are given no index rank exactly, in blocks of their own.

    Args:
        block: codes compared at once; bounds the memory, not the result.
    """

    def __init__(self, block: PositiveInt = 65536) -> None:
        self.block = block
        self._codes: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self._codes is None else len(self._codes)

    def add(self, codes: Tensor) -> None:
        """Appends codes (n, D); a code's id is its place in the order of adding, from 0.

        Raises:
            UserError: codes of another length than those already there.
        """
        check_length(codes, self._codes)
        codes = codes.detach().float()
        self._codes = codes if self._codes is None else torch.cat([self._codes, codes])

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores (Q, min(k, n)) float32 and ids (Q, min(k, n)) int64 of the k best codes, best first; ties by id.

        Raises:
            UserError: an empty index, or queries of another length than the codes.
        """
        if self._codes is None:
            raise UserError("the index is empty: add codes before searching.")
        check_length(queries, self._codes)
        return top_k(queries.detach().float().to(self._codes.device), self._codes, k, block=self.block)


def check_length(codes: Tensor, known: Tensor | int | None) -> None:
    """Refuses codes that are no table (n, D) or whose D is not that of the codes known, if any.

    Raises:
        UserError: naming both lengths.
    """
    if codes.ndim != 2:
        raise UserError(f"codes of shape {tuple(codes.shape)}: an index takes a table with one code a row.")
    dim = known.shape[1] if isinstance(known, Tensor) else known
    if dim is not None and codes.shape[1] != dim:
        raise UserError(
            f"codes of {codes.shape[1]} dimensions do not fit an index of {dim}: describe both with one network."
        )
