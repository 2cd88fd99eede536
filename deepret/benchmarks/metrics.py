"""What rankings are worth, from the ranks of the positives: average precision in the field's editions, and shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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

    def total(self, values: Tensor) -> Tensor:
        """(Q,) float64, each query's sum of values (P,)."""
        return torch.zeros(len(self.positives), dtype=torch.float64).index_add_(0, self.query, values.double())

    def mean(self, values: Tensor) -> Tensor:
        """(Q,) float64, each query's mean of values (P,), 0 for those not ranked; not a number where it has none."""
        return self.total(values) / self.positives


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
    found = ranks.total(ranks.rank < k)
    return torch.where(ranks.positives > 0, found.clamp(max=1), torch.nan)


def precision_at(ranks: Ranks, k: int) -> Tensor:
    """(Q,) float64: the share of positives among the first k, where k is the last positive's place at most.

    precision = #{positives among the first k'} / k', k' = min(k, place of the last positive that is ranked), places
    from 1. Not a number where a query has no positive, 0 where none is ranked.

    Radenović et al., Revisiting Oxford and Paris: Large-scale image retrieval benchmarking, CVPR 2018.
    """
    last = torch.zeros(len(ranks.positives), dtype=torch.int64)
    last = last.scatter_reduce(0, ranks.query, ranks.rank + 1, "amax").clamp(max=k)
    found = ranks.total(ranks.rank < last[ranks.query]) / last.clamp(min=1)
    return torch.where(ranks.positives > 0, found, torch.nan)


def average_precision_at(ranks: Ranks, k: int) -> Tensor:
    """(Q,) float64: average precision of the first k: (1/min(m, k)) Σ_{i ≤ k} P(i)·rel(i), of m positives.

    P(i) is the share of positives among the first i. Not a number where a query has no positive.

    Weyand et al., Google Landmarks Dataset v2, CVPR 2020, whose k is 100.
    """
    precision = (ranks.before + 1).double() / (ranks.rank + 1)
    return ranks.total(torch.where(ranks.rank < k, precision, 0.0)) / ranks.positives.clamp(max=k)


def average_precision_at_r(ranks: Ranks) -> Tensor:
    """(Q,) float64, MAP@R's summand: (1/R) Σ_{i ≤ R} P(i)·rel(i), R the number of the query's positives.

    Musgrave et al., A metric learning reality check, ECCV 2020.
    """
    precision = (ranks.before + 1).double() / (ranks.rank + 1)
    return ranks.mean(torch.where(ranks.rank < ranks.positives[ranks.query], precision, 0.0))


def r_precision(ranks: Ranks) -> Tensor:
    """(Q,) float64: the share of positives among the first R, R the number of the query's positives."""
    return ranks.mean(ranks.rank < ranks.positives[ranks.query])


def found_in(ranks: Ranks, k: int) -> Tensor:
    """(Q,) float64: how many positives are among the first k; UKB's N-S is its mean for k = 4, the query counted.

    Nistér and Stewénius, Scalable recognition with a vocabulary tree, CVPR 2006.
    """
    return ranks.total(ranks.rank < k)


def global_average_precision(confidence: Tensor, right: Tensor, landmarks: int) -> float:
    """GAP, or micro average precision: (1/M) Σ_i P(i)·rel(i) over all predictions, the most confident first.

    Args:
        confidence: (n,) of each query's one prediction; equal ones stay in their order.
        right: (n,) bool, whether the prediction is the query's landmark.
        landmarks: M, the queries that show a landmark, predicted or not.

    Weyand et al., Google Landmarks Dataset v2, CVPR 2020.
    """
    hits = right[torch.argsort(confidence, descending=True, stable=True)].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / landmarks) if landmarks else float("nan")
