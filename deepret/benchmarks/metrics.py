"""What rankings are worth: average precision and recall, from the exact ranks of the positives.

No ranking is ever sorted: the rank of a positive is the number of images that beat it, counted a block of queries at a
time. An image beats another with a higher score, or with the same score and a lower position in the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from deepret.search.exact import LOWEST, order_keys, split_keys


@dataclass(frozen=True)
class Ranks:
    """Where the positives of every query stand, junk removed.

    Args:
        rank: (P,) int64, from 0, ascending within a query; P positives of all queries together.
        query: (P,) int64, ascending, the query of each.
        positives: (Q,) int64, how many each query has; more than stand in ``rank`` where a ranking was cut short.
    """

    rank: Tensor
    query: Tensor
    positives: Tensor

    @property
    def before(self) -> Tensor:
        """(P,) int64, how many positives of the same query stand before each."""
        listed = torch.bincount(self.query, minlength=len(self.positives))
        starts = listed.cumsum(0) - listed
        return torch.arange(len(self.rank)) - starts[self.query]

    def mean(self, values: Tensor) -> Tensor:
        """(Q,) float64, each query's mean of values (P,), 0 for those not ranked; not a number where it has none."""
        total = torch.zeros(len(self.positives), dtype=torch.float64).index_add_(0, self.query, values.double())
        return total / self.positives


def average_precision(ranks: Ranks) -> Tensor:
    """Average precision (Q,) float64 by the trapezoid rule of Oxford, Paris, Holidays and their revisited editions.

    A positive at rank r with j positives before it adds (p₀ + p₁)/2 ÷ positives, where p₀ = j/r (1 when r = 0) and
    p₁ = (j + 1)/(r + 1). Not a number where a query has no positive.

    Philbin et al., Object retrieval with large vocabularies and fast spatial matching, CVPR 2007.
    """
    r, j = ranks.rank.double(), ranks.before.double()
    before = torch.where(r == 0, 1.0, j / r.clamp(min=1))
    return ranks.mean((before + (j + 1) / (r + 1)) / 2)


def recall_at(ranks: Ranks, k: int) -> Tensor:
    """(Q,) float64: 1 where any positive is among the first k, else 0; not a number where a query has no positive."""
    found = torch.zeros(len(ranks.positives), dtype=torch.float64).index_add_(0, ranks.query, (ranks.rank < k).double())
    return torch.where(ranks.positives > 0, found.clamp(max=1), torch.nan)


def rank(
    queries: Tensor,
    database: Tensor,
    positives: Sequence[Tensor],
    ignored: Sequence[Tensor] | None = None,
    *,
    k: int = 100,
    pairs: int = 2**23,
) -> tuple[Ranks, Tensor]:
    """Ranks the database for every query, without ever holding a table of queries × database.

    Args:
        queries: (Q, D) float32.
        database: (n, D) float32; it may be mapped from a file.
        positives: Q tables of positions in the database, int64, each position once.
        ignored: Q tables of positions that are taken out of the ranking (junk, the query itself); none is a positive.
        k: length of the lists that are given back.
        pairs: scores held at once; about 28 bytes each.

    Returns:
        the positives' ranks, and the first k positions (Q, min(k, n)) int64 of each ranking, ignored ones left out
        (−1 where there are no more).
    """
    step = max(1, pairs // max(1, len(database)))
    counts = torch.tensor([len(p) for p in positives], dtype=torch.int64)
    ranks, lists = [], []
    bar = tqdm(total=len(queries), unit=" queries", desc="ranking", disable=None, leave=False)
    for first in range(0, len(queries), step):
        block = slice(first, first + step)
        keys = order_keys(queries[block] @ database.T)
        if ignored is not None:
            keys[places(ignored[block])] = LOWEST
        best = keys.topk(min(k, len(database))).values
        lists.append(torch.where(best == LOWEST, -1, split_keys(best)[1]))
        ranks.append(_beaten(keys, positives[block], counts[block]))
        bar.update(len(keys))
    bar.close()
    found = Ranks(
        torch.cat([torch.empty(0, dtype=torch.int64), *ranks]),
        torch.repeat_interleave(torch.arange(len(queries)), counts),
        counts,
    )
    return found, torch.cat([torch.empty(0, min(k, len(database)), dtype=torch.int64), *lists])


def places(columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows and columns (P,) of a block's positions."""
    counts = torch.tensor([len(c) for c in columns])
    return torch.repeat_interleave(torch.arange(len(columns)), counts), torch.cat(list(columns))


def _beaten(keys: Tensor, positives: Sequence[Tensor], counts: Tensor) -> Tensor:
    """Ranks (P,) of a block's positives: each key finds its place among the sorted keys of its query's positives."""
    widest = int(counts.max())
    if widest == 0:
        return torch.empty(0, dtype=torch.int64)
    columns = pad_sequence(list(positives), batch_first=True)
    absent = torch.arange(widest) >= counts[:, None]
    own = keys.gather(1, columns).masked_fill_(absent, torch.iinfo(torch.int64).max).sort(dim=1).values
    places = torch.searchsorted(own, keys, right=True)  # how many of the positives a key reaches
    counted = torch.zeros(len(keys), widest + 1, dtype=torch.int64)
    counted.scatter_add_(1, places, torch.ones(1, 1, dtype=torch.int64).expand_as(places))
    reached = counted.flip(1).cumsum(1)  # at i: keys that reach at least widest − i of the positives
    ranks = reached[:, :widest] - 1
    return ranks[~absent.flip(1)]
