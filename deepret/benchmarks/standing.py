"""Where images stand in rankings: exactly, without a table of queries × database and without sorting any.

The rank of an image is the number of images that beat it: with a higher score, or with the same score and a lower
position in the database. It is counted a block of queries and a block of the database at a time, so that a million
images and sixty thousand queries fit into the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from deepret.benchmarks.metrics import Ranks
from deepret.search.exact import inner_products, order_keys, split_keys

ABSENT = -1
"""The rank of an image that a ranking does not hold, and what fills lists that are too short."""


@dataclass(frozen=True)
class Standing:
    """Where the images that matter stand in each query's ranking, and how each ranking begins.

    Args:
        queries: how many there are.
        database: how many images were ranked.
        query: (L,) int64, the query of each image that matters.
        image: (L,) int64, its position in the database; pairs (query, image) ascend.
        rank: (L,) int64, from 0; ``ABSENT`` where the ranking ends before it.
        lists: (Q, k) int64, the first positions of each ranking, ``ABSENT`` where there are no more.
    """

    queries: int
    database: int
    query: Tensor
    image: Tensor
    rank: Tensor
    lists: Tensor

    @classmethod
    def of(cls, database: int, matter: Sequence[Tensor], ranks: Tensor, lists: Tensor) -> Standing:
        """From ranks in any order.

        Args:
            database: how many images were ranked.
            matter: Q tables of positions, L in all.
            ranks: (L,) int64, theirs, table after table.
            lists: (Q, k) int64.
        """
        query, image = flat(matter)
        keys = query * database + image
        if not (keys[1:] > keys[:-1]).all():  # sorting takes several times the memory
            order = torch.argsort(keys)
            query, image, ranks = query[order], image[order], ranks[order]
        return cls(len(matter), database, query, image, ranks, lists)

    def ranks_of(self, images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Query and rank (P,) int64 of some of the images that matter, a table of positions for each query."""
        query, image = flat(images)
        place = torch.searchsorted(self.query * self.database + self.image, query * self.database + image)
        return query, self.rank[place]

    def ranks(self, positives: Sequence[Tensor], ignored: Sequence[Tensor] | None = None) -> Ranks:
        """The ranks of the positives, in rankings from which the ignored images are taken out.

        Args:
            positives: Q tables of positions, each once.
            ignored: Q tables of positions, none of them a positive; no image by default.
        """
        query, rank = self.ranks_of(positives)
        wide = self.database + 1
        order = torch.argsort(query * wide + rank)
        query, rank = query[order], rank[order]
        query, rank = query[rank != ABSENT], rank[rank != ABSENT]
        if ignored is not None:
            of, places = self.ranks_of(ignored)
            out = torch.sort(of * wide + places.clamp(min=ABSENT) + 1).values  # from 0, an absent one before all
            out = out[out % wide > 0]
            rank = rank - torch.searchsorted(out, query * wide + rank + 1) + torch.searchsorted(out, query * wide)
        return Ranks(rank, query, torch.tensor([len(p) for p in positives], dtype=torch.int64))

    def first(self, k: int, ignored: Sequence[Tensor] | None = None) -> Tensor:
        """The first k positions (Q, ≤ k) int64 of each ranking, ignored ones left out."""
        lists = self.lists
        if ignored is not None and lists.numel():
            query, image = flat(ignored)
            out = torch.sort(query * self.database + image).values
            keys = torch.arange(self.queries)[:, None] * self.database + lists
            place = torch.searchsorted(out, keys).clamp(max=max(len(out) - 1, 0))
            kept = lists != ABSENT
            if len(out):
                kept &= out[place] != keys
            order = kept.byte().argsort(dim=1, descending=True, stable=True)  # what is left out goes to the end
            lists = torch.where(kept, lists, ABSENT).gather(1, order)
        return lists[:, :k]


def stand(
    queries: Tensor,
    database: Tensor | Sequence[Tensor],
    matter: Sequence[Tensor],
    ignored: int = 0,
    *,
    k: int = 100,
    block: int = 2**16,
    pairs: int = 2**23,
) -> Standing:
    """Ranks the database for every query by inner product.

    Args:
        queries: (Q, D) float32.
        database: (n, D) float32, or several such tables one after the other; they may be mapped from files.
        matter: Q tables of the positions whose ranks are wanted, int64, each once.
        ignored: how many positions are taken out of a query's list later, at most.
        k: length of the lists without those.
        block: rows of the database that are compared at once.
        pairs: scores held at once; about 40 bytes each.
    """
    parts = [database] if isinstance(database, Tensor) else list(database)
    n = sum(map(len, parts))
    width = min(n, k + ignored)
    blocks = list(_blocks(parts, max(1, min(block, n))))
    step = max(1, pairs // max(1, min(block, n)))
    lists = [torch.empty(0, width, dtype=torch.int64)]
    ranks, done = torch.empty(sum(map(len, matter)), dtype=torch.int64), 0
    bar = tqdm(total=len(queries), unit=" queries", desc="ranking", disable=None, leave=False)
    for at in range(0, len(queries), step):
        asked, wanted = queries[at : at + step], padded(matter[at : at + step])
        own = torch.full(wanted.shape, torch.iinfo(torch.int64).max)
        best = torch.empty(len(asked), 0, dtype=torch.int64)
        kept: list[Tensor] = []
        for start, codes in blocks:
            keys = order_keys(inner_products(asked, codes), start)
            inside = (wanted >= start) & (wanted < start + keys.shape[1])
            own = torch.where(inside, keys.gather(1, (wanted - start).clamp(0, keys.shape[1] - 1)), own)
            best = torch.cat([best, keys.topk(min(width, keys.shape[1])).values], dim=1)
            best = best.topk(min(width, best.shape[1])).values
            kept = [keys] if len(blocks) == 1 else []
        lists.append(split_keys(best)[1])
        order = own.argsort(dim=1)
        own = own.gather(1, order)
        reached = torch.zeros(len(asked), own.shape[1] + 1, dtype=torch.int64)
        for start, codes in blocks if own.shape[1] else ():
            keys = kept[0] if kept else order_keys(inner_products(asked, codes), start)
            places = torch.searchsorted(own, keys, right=True)  # how many of its query's own a key reaches
            reached.scatter_add_(1, places, torch.ones(1, 1, dtype=torch.int64).expand_as(places))
        above = reached.flip(1).cumsum(1).flip(1)[:, 1:] - 1  # at i: keys that reach more than i, but for itself
        found = torch.empty_like(above).scatter_(1, order, above)
        found = found[wanted >= 0]
        ranks[done : done + len(found)] = found
        done += len(found)
        bar.update(len(asked))
    bar.close()
    return Standing.of(n, matter, ranks, torch.cat(lists))


def _blocks(parts: Sequence[Tensor], block: int) -> Iterator[tuple[int, Tensor]]:
    """Parts of parts, none longer than ``block``, with where they begin."""
    start = 0
    for part in parts:
        for codes in torch.split(part, block):
            yield start, codes
            start += len(codes)


def most(columns: Sequence[Tensor] | None) -> int:
    """The length of the longest of some tables of positions; 0 where there is none."""
    return max(map(len, columns or ()), default=0)


def flat(columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows and columns (P,) int64 of tables of positions."""
    counts = torch.tensor([len(c) for c in columns], dtype=torch.int64)
    empty = torch.empty(0, dtype=torch.int64)
    return torch.repeat_interleave(torch.arange(len(columns)), counts), torch.cat([empty, *columns]).long()


def padded(columns: Sequence[Tensor]) -> Tensor:
    """Tables of positions as one (Q, widest) int64, filled with −1."""
    return pad_sequence([c.long() for c in columns], batch_first=True, padding_value=ABSENT)
