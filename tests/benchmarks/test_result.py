from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from deepret.benchmarks.result import Result, score
from deepret.data.photo import Photo


def photos(count: int) -> list[Photo]:
    return [Photo(Path(f"{i}.jpg")) for i in range(count)]


def test_score_puts_metrics_counts_and_lists_together() -> None:
    database = torch.eye(4)
    queries = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])  # rankings 0123 and 3210
    asked, ranked = photos(2), photos(4)
    found = score(
        "toy",
        (asked, queries),
        (ranked, database),
        [torch.tensor([0, 1]), torch.tensor([0])],
        [torch.tensor([2]), torch.tensor([], dtype=torch.int64)],
        recalls=[1, 3, 4],
        counts={"left_out": 7},
    )
    assert found.benchmark == "toy"
    assert found.ap.tolist() == pytest.approx([1.0, (0 + 1 / 4) / 2])
    assert found.metrics == pytest.approx({"mAP": 0.5625, "recall@1": 0.5, "recall@3": 0.5, "recall@4": 1.0})
    assert found.counts == {"queries": 2, "database": 4, "left_out": 7}
    assert found.ranking.tolist() == [[0, 1, 3, -1], [3, 2, 1, 0]]
    assert found.relevant == [{0, 1}, {0}]
    assert (found.queries, found.database) == (asked, ranked)


def test_summary_is_plain_json_with_rounded_shares() -> None:
    metrics = {"mAP": 2 / 3, "mP@5": float("nan")}
    found = Result("toy", metrics, {"queries": 3}, [], [], torch.empty(0, 0), [], torch.empty(0))
    text = json.dumps(found.summary(), allow_nan=False)
    assert json.loads(text) == {"benchmark": "toy", "mAP": 0.66667, "mP@5": None, "counts": {"queries": 3}}


def test_keys_name_the_benchmark_and_what_is_partial_of_it() -> None:
    metrics = {"GAP": 0.5, "GAP public": float("nan")}
    found = Result("toy (partial: 1 of 2)", metrics, {}, [], [], torch.empty(0, 0), [], torch.empty(0))
    assert found.keyed() == {"toy (partial: 1 of 2)/GAP": 0.5}
    assert (
        found.summary()["mAP"] == found.summary()["GAP"] == 0.5
    )  # the main figure, by the name that programs look for
