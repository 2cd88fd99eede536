"""Deep Image Retrieval's own mining: the hardest negatives of a pool."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from deepret.losses.triplet import squared_distances
from deepret.training.mining.all import Selection


class Pool:
    """Extracts a random pool every so often and draws triplets among the hardest that violate the margin.

    For each query and positive of the pool, the ``negatives`` images of other classes nearest to the query whose loss
    ½ (m + ‖q − d⁺‖² − ‖q − d⁻‖²) is above zero make triplets; batches hold these triplets and nothing else counts.

    Args:
        margin: m, the loss's.
        size: images of the pool.
        every: epochs between two pools.
        negatives: hardest negatives of each pair.
        triplets: triplets kept, at most, drawn at random among those.

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
        """Triplets (T, 3) of rows: query, positive, negative.

        Args:
            codes: (n, D) of the pool.
            labels: (n,) their classes.
            random: of the draw.
        """
        found = []
        for query in range(len(codes)):  # one row of distances at a time: n × n never lies in memory
            same = labels == labels[query]
            distances = squared_distances(codes[query : query + 1], codes)[0]
            positives = same.nonzero()[:, 0]
            positives = positives[positives != query]
            hardest = distances.masked_fill(same, torch.inf).topk(min(self.negatives, len(codes)), largest=False)
            violation = self.margin + distances[positives][:, None] - hardest.values
            pair, negative = (violation > 0).nonzero(as_tuple=True)
            found.append(torch.stack([torch.full_like(pair, query), positives[pair], hardest.indices[negative]], dim=1))
        triplets = torch.cat(found) if found else torch.empty(0, 3, dtype=torch.int64)
        return triplets[torch.randperm(len(triplets), generator=random)[: self.triplets]]

    def select(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Selection:
        """One row for each triplet of a batch that lies as q, d⁺, d⁻, q, d⁺, d⁻, …"""
        queries = torch.arange(0, len(anchors), 3, device=anchors.device)
        return queries, F.one_hot(queries + 1, len(references)).bool(), F.one_hot(queries + 2, len(references)).bool()
