"""Ranks as an index finds them, for benchmarks that are searched by another index than the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from deepret.benchmarks.metrics import Ranks, places


class Index(Protocol):
    """What keeps codes and finds the nearest ones."""

    def add(self, codes: Tensor) -> None:
        """Appends codes (n, D)."""

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores and ids (Q, k) of the k best codes, best first; an id below zero where none is found."""


def searched(
    index: Index,
    queries: Tensor,
    database: Tensor,
    positives: Sequence[Tensor],
    ignored: Sequence[Tensor] | None = None,
    *,
    k: int = 100,
    pairs: int = 2**22,
) -> tuple[Ranks, Tensor]:
    """Ranks the whole database for every query by an index, as ``metrics.rank`` does without one.

    Args:
        index: an empty one.
        queries: (Q, D) float32.
        database: (n, D) float32.
        positives: Q tables of positions in the database, int64, each position once.
        ignored: Q tables of positions that are taken out of the ranking; none is a positive.
        k: length of the lists that are given back.
        pairs: ids held at once.

    Returns:
        the ranks of the positives that the index finds, and the first k positions (Q, min(k, n)) int64 of each ranking,
        ignored ones left out (−1 where there are no more).
    """
    index.add(database)
    count = len(database)
    step = max(1, pairs // max(1, count))
    counts = torch.tensor([len(p) for p in positives], dtype=torch.int64)
    ranks, of, lists = [torch.empty(0, dtype=torch.int64)], [torch.empty(0, dtype=torch.int64)], []
    bar = tqdm(total=len(queries), unit=" queries", desc="searching", disable=None, leave=False)
    for first in range(0, len(queries), step):
        block = slice(first, first + step)
        ids = index.search(queries[block], count)[1].cpu()
        skipped = torch.zeros(len(ids), count, dtype=torch.bool)
        if ignored is not None:
            skipped[places(ignored[block])] = True
        kept = (ids >= 0) & ~skipped.gather(1, ids.clamp(min=0))
        order = kept.byte().argsort(dim=1, descending=True, stable=True)  # what is left out goes to the end
        ordered = torch.where(kept, ids, -1).gather(1, order)
        lists.append(ordered[:, : min(k, count)])
        wanted = torch.zeros(len(ids), count, dtype=torch.bool)
        wanted[places(positives[block])] = True
        row, rank = (wanted.gather(1, ordered.clamp(min=0)) & (ordered >= 0)).nonzero(as_tuple=True)
        ranks.append(rank)
        of.append(row + first)
        bar.update(len(ids))
    bar.close()
    width = min(k, count)
    return Ranks(torch.cat(ranks), torch.cat(of), counts), torch.cat([torch.empty(0, width, dtype=torch.int64), *lists])
