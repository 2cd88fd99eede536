"""Where images stand as an index finds them, for benchmarks that are searched by another than the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from deepret.benchmarks.standing import ABSENT, Standing, flat


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
    matter: Sequence[Tensor],
    ignored: int = 0,
    *,
    k: int = 100,
    pairs: int = 2**22,
) -> Standing:
    """Ranks the whole database for every query by an index, as ``stand`` does without one.

    Args:
        index: an empty one.
        queries: (Q, D) float32.
        database: (n, D) float32.
        matter: Q tables of the positions whose ranks are wanted, int64, each once.
        ignored: how many positions are taken out of a query's list later, at most.
        k: length of the lists without those.
        pairs: ids held at once.
    """
    index.add(database)
    n = len(database)
    width = min(n, k + ignored)
    step = max(1, pairs // max(1, n))
    lists, ranks = [torch.empty(0, width, dtype=torch.int64)], [torch.empty(0, dtype=torch.int64)]
    bar = tqdm(total=len(queries), unit=" queries", desc="searching", disable=None, leave=False)
    for at in range(0, len(queries), step):
        ids = index.search(queries[at : at + step], n)[1].cpu()
        found = ids >= 0
        order = found.byte().argsort(dim=1, descending=True, stable=True)  # what is not found goes to the end
        ids = torch.where(found, ids, ABSENT).gather(1, order)
        lists.append(ids[:, :width])
        rank = torch.full((len(ids), n + 1), ABSENT)
        rank.scatter_(1, torch.where(ids >= 0, ids, n), torch.arange(ids.shape[1]).expand_as(ids))
        ranks.append(rank[flat(matter[at : at + step])])
        bar.update(len(ids))
    bar.close()
    return Standing.of(n, matter, torch.cat(ranks), torch.cat(lists))
