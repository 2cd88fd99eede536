"""What a benchmark gives back, ready for a table, a gallery and JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deepret.benchmarks.metrics import average_precision, recall_at
from deepret.benchmarks.searched import Index, searched
from deepret.benchmarks.standing import most, stand
from deepret.data.photo import Photo

Describe = Callable[[Sequence[Photo]], Tensor]
"""Photographs → codes (n, D) float32, in their order."""
SCORES = ("ns",)
"""Metrics that are no shares."""
LISTED = 100
"""Length of the rankings that are kept."""


@dataclass
class Result:
    """One descriptor's figures on one benchmark.

    Args:
        benchmark: its name, which says so where the copy is partial.
        metrics: shares in 0…1: ``mAP``, ``recall@1`` and so on; ``ns`` is a number of 0…4.
        counts: what was compared and what was left out: ``queries``, ``database`` and so on.
        queries: the photographs that were asked, with their boxes.
        database: the photographs that were ranked.
        ranking: (Q, k ≤ 100) int64, the first positions of each ranking, junk removed, −1 where there are no more.
        relevant: the positives of each query, as positions in the database.
        ap: (Q,) float64, the average precision of each query; where a query has one answer, whether it is right.
    """

    benchmark: str
    metrics: dict[str, float]
    counts: dict[str, int]
    queries: list[Photo]
    database: list[Photo]
    ranking: Tensor
    relevant: list[set[int]]
    ap: Tensor

    @property
    def main(self) -> str:
        """The metric that the benchmark is known by: mAP, or the first one where it has none."""
        return "mAP" if "mAP" in self.metrics else next(iter(self.metrics))

    def summary(self) -> dict[str, Any]:
        """The benchmark, its metrics and its counts as JSON takes them: shares to five digits, null for no number.

        ``mAP`` is the main metric's, whatever its name is, so that programs find it in every benchmark's.
        """
        shown = {"mAP": self.metrics[self.main], **self.metrics}
        metrics = {name: round(v, 5) if math.isfinite(v) else None for name, v in shown.items()}
        return {"benchmark": self.benchmark, **metrics, "counts": dict(self.counts)}

    def keyed(self) -> dict[str, float]:
        """The metrics that are numbers, each below the benchmark's name, which says so where the copy is partial."""
        return {f"{self.benchmark}/{name}": v for name, v in self.metrics.items() if math.isfinite(v)}


def score(
    benchmark: str,
    queries: tuple[list[Photo], Tensor],
    database: tuple[list[Photo], Tensor],
    positives: Sequence[Tensor],
    ignored: Sequence[Tensor] | None,
    *,
    recalls: Sequence[int] = (1, 5, 10),
    counts: dict[str, int] | None = None,
    index: Index | None = None,
) -> Result:
    """Ranks photographs by their codes and gives mean average precision and recall.

    Args:
        benchmark: the name to print.
        queries: the photographs asked and their codes (Q, D); every one has a positive.
        database: the photographs ranked and their codes (n, D).
        positives: of each query, positions in the database.
        ignored: of each query, positions left out of its ranking.
        recalls: the k of recall@k.
        counts: more counts, printed after the number of queries and of images.
        index: an empty one to search with; none compares every query with every image, exactly.
    """
    matter = positives if ignored is None else [torch.cat(pair) for pair in zip(positives, ignored, strict=True)]
    if index is None:
        standing = stand(queries[1], database[1], matter, most(ignored), k=LISTED)
    else:
        standing = searched(index, queries[1], database[1], matter, most(ignored), k=LISTED)
    ranks = standing.ranks(positives, ignored)
    ap = average_precision(ranks)
    metrics = {"mAP": float(ap.mean()), **{f"recall@{k}": float(recall_at(ranks, k).mean()) for k in recalls}}
    return Result(
        benchmark=benchmark,
        metrics=metrics,
        counts={"queries": len(queries[0]), "database": len(database[0]), **(counts or {})},
        queries=queries[0],
        database=database[0],
        ranking=standing.first(LISTED, ignored),
        relevant=[set(p.tolist()) for p in positives],
        ap=ap,
    )
