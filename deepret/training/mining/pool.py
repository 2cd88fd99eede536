"""Deep Image Retrieval's own mining: the hardest negatives of a pool."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from tqdm import tqdm

from deepret.losses.triplet import squared_distances
from deepret.training.mining.all import Selection

BLOCK = 64
"""Queries at a time: 64 rows of distances to the pool lie in memory, never the whole square."""


class Pool:
    """Extracts a random pool every so often and draws triplets among the hardest that violate the margin.

    For each query and positive of the pool, the ``negatives`` images of other classes nearest to the query whose loss
    ½ max(0, m + ‖q − d⁺‖² − ‖q − d⁻‖²) is above zero make triplets; batches hold these, and nothing else counts.
    A pool without any ends the stage.

    Where the data bring pairs, ``queries`` of them are drawn beside the pool, and they alone are query and positive;
    the pool has the negatives, as in Radenović et al., TPAMI 2019.

    Args:
        margin: m, the loss's.
        size: images of the pool.
        every: epochs between two pools.
        negatives: hardest negatives of each pair.
        one_a_class: whether they are at most one of each class.
        queries: pairs that are drawn for each pool, at most, where the data bring pairs.
        triplets: triplets kept, at most, drawn at random among those, all alike.

    Paper: Gordo, Almazán, Revaud, Larlus, IJCV 2017, section 4.
    """

    pooled: ClassVar[bool] = True

    def __init__(
        self,
        margin: PositiveFloat = 0.1,
        size: PositiveInt = 5000,
        every: PositiveInt = 1,
        negatives: PositiveInt = 25,
        triplets: PositiveInt = 100_000,
        one_a_class: bool = False,
        queries: PositiveInt = 2000,
    ) -> None:
        self.margin = margin
        self.size = size
        self.every = every
        self.negatives = negatives
        self.triplets = triplets
        self.one_a_class = one_a_class
        self.queries = queries

    @torch.no_grad()
    def mine(
        self,
        codes: Tensor,
        labels: Tensor,
        random: torch.Generator,
        pairs: Tensor | None = None,
        pool: Tensor | None = None,
    ) -> Tensor:
        """Triplets (T, 3) of rows, T ≤ ``triplets``: query, positive, negative, in random order.

        Each triplet found gets a random key, and those of the smallest keys stay: a fair draw without keeping all.

        Args:
            codes: (n, D) of the pool, and of the pairs, on the CPU.
            labels: (n,) their classes.
            random: of the draw.
            pairs: (P, 2) rows of each query and its positive; None where all of a class are each other's.
            pool: (n,) bool, which rows may be negatives; None for all.
        """
        kept = torch.empty(0, 3, dtype=torch.int64)
        keys = torch.empty(0, dtype=torch.float64)
        pool = torch.ones(len(codes), dtype=torch.bool) if pool is None else pool
        asked = torch.arange(len(codes)) if pairs is None else pairs
        blocks = torch.split(asked, BLOCK) if len(asked) else ()
        for block in tqdm(blocks, desc="mining triplets", disable=None, leave=False):
            found = self._violations(block, codes, labels, pool)
            keys = torch.cat([keys, torch.rand(len(found), generator=random, dtype=torch.float64)])
            keys, smallest = keys.topk(min(self.triplets, len(keys)), largest=False)
            kept = torch.cat([kept, found])[smallest]
        return kept

    def _violations(self, block: Tensor, codes: Tensor, labels: Tensor, pool: Tensor) -> Tensor:
        """All triplets (T, 3) that have a loss, among the hardest of each pair, of queries (b,) or of pairs (b, 2)."""
        queries = block if block.dim() == 1 else block[:, 0]
        distances = squared_distances(codes[queries], codes)
        same = labels[queries][:, None] == labels
        far = distances.masked_fill(same | ~pool, torch.inf)
        far = nearest_of_each(far, labels) if self.one_a_class else far
        hardest = far.topk(min(self.negatives, len(codes)), largest=False)
        if block.dim() == 1:
            row, positive = (same & (queries[:, None] != torch.arange(len(codes)))).nonzero(as_tuple=True)
        else:
            row, positive = torch.arange(len(block)), block[:, 1]
        pair, place = (self.margin + distances[row, positive][:, None] > hardest.values[row]).nonzero(as_tuple=True)
        row, positive = row[pair], positive[pair]
        return torch.stack([queries[row], positive, hardest.indices[row, place]], dim=1)

    def select(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Selection:
        """One row for each triplet of a batch that lies as q, d⁺, d⁻, q, d⁺, d⁻, …"""
        queries = torch.arange(0, len(anchors), 3, device=anchors.device)
        return queries, F.one_hot(queries + 1, len(references)).bool(), F.one_hot(queries + 2, len(references)).bool()


def nearest_of_each(distances: Tensor, labels: Tensor) -> Tensor:
    """Distances (b, n) that are infinite but for the nearest column of each class, the first of several.

    Args:
        distances: (b, n).
        labels: (n,) the columns' classes.
    """
    names, number = torch.unique(labels, return_inverse=True)
    number, column = number.expand(distances.shape), torch.arange(len(labels)).expand(distances.shape)
    least = distances.new_full((len(distances), len(names)), torch.inf).scatter_reduce(1, number, distances, "amin")
    among = column.masked_fill(distances > least.gather(1, number), len(labels))
    found = column.new_full(least.shape, len(labels)).scatter_reduce(1, number, among, "amin")
    return distances.masked_fill(column != found.gather(1, number), torch.inf)
