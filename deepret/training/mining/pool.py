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

    Args:
        margin: m, the loss's.
        size: images of the pool.
        every: epochs between two pools.
        negatives: hardest negatives of each pair.
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
    ) -> None:
        self.margin = margin
        self.size = size
        self.every = every
        self.negatives = negatives
        self.triplets = triplets

    @torch.no_grad()
    def mine(self, codes: Tensor, labels: Tensor, random: torch.Generator) -> Tensor:
        """Triplets (T, 3) of rows, T ≤ ``triplets``: query, positive, negative, in random order.

        Each triplet found gets a random key, and those of the smallest keys stay: a fair draw without keeping all.

        Args:
            codes: (n, D) of the pool, on the CPU.
            labels: (n,) their classes.
            random: of the draw.
        """
        kept = torch.empty(0, 3, dtype=torch.int64)
        keys = torch.empty(0, dtype=torch.float64)
        blocks = torch.split(torch.arange(len(codes)), BLOCK) if len(codes) else ()
        for queries in tqdm(blocks, desc="mining triplets", disable=None, leave=False):
            found = self._violations(queries, codes, labels)
            keys = torch.cat([keys, torch.rand(len(found), generator=random, dtype=torch.float64)])
            keys, smallest = keys.topk(min(self.triplets, len(keys)), largest=False)
            kept = torch.cat([kept, found])[smallest]
        return kept

    def _violations(self, queries: Tensor, codes: Tensor, labels: Tensor) -> Tensor:
        """All triplets (T, 3) of some rows as queries that have a loss, among the hardest of each pair."""
        distances = squared_distances(codes[queries], codes)
        same = labels[queries][:, None] == labels
        hardest = distances.masked_fill(same, torch.inf).topk(min(self.negatives, len(codes)), largest=False)
        row, positive = (same & (queries[:, None] != torch.arange(len(codes)))).nonzero(as_tuple=True)
        pair, place = (self.margin + distances[row, positive][:, None] > hardest.values[row]).nonzero(as_tuple=True)
        row, positive = row[pair], positive[pair]
        return torch.stack([queries[row], positive, hardest.indices[row, place]], dim=1)

    def select(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Selection:
        """One row for each triplet of a batch that lies as q, d⁺, d⁻, q, d⁺, d⁻, …"""
        queries = torch.arange(0, len(anchors), 3, device=anchors.device)
        return queries, F.one_hot(queries + 1, len(references)).bool(), F.one_hot(queries + 2, len(references)).bool()
