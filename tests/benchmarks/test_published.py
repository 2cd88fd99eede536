from __future__ import annotations

import pytest
import torch

from deepret.benchmarks.published import beside, published
from deepret.benchmarks.result import SCORES, Result
from deepret.config import options
from deepret.parts import locate
from deepret.reports.table import published_table


def result(benchmark: str) -> Result:
    return Result(benchmark, {"mAP": 0.5}, {"queries": 1, "database": 1}, [], [], torch.zeros(1, 1), [], torch.ones(1))


def test_figures_of_others_stand_beside_a_whole_copy_alone() -> None:
    rows = beside([result("oxford5k"), result("oxford5k")])
    assert ["DIR ResNet-101", "oxford5k", "mAP", 86.1, "Gordo et al. 2017, from memory"] in rows
    assert len(rows) == len(set(map(tuple, rows)))
    for name in (
        "oxford5k (partial: 1,200 of 5,063)",
        "oxford5k (and 3 more)",
        "oxford105k (partial: 5,063 of 105,134)",
    ):
        assert published_table([result(name)]) == ""
    assert published_table([result("oxford5k")]).startswith("published\n")


@pytest.mark.parametrize("benchmark", published())
def test_figures_are_those_of_benchmarks_and_metrics_there_are(benchmark: str) -> None:
    kinds = [locate(node["_target_"]) for node in options("benchmark")]
    names = {kind.name for kind in kinds if isinstance(getattr(kind, "name", None), str)}
    names |= {kind.enlarged[0] for kind in kinds if getattr(kind, "enlarged", None)}
    assert benchmark in names
    for metric, rows in published()[benchmark].items():
        assert metric in ("mAP", "mAP hard", "mAP public", "GAP", "GAP public", *SCORES)
        for _, value, source in rows:
            assert 0 < value <= (4 if metric in SCORES else 100)
            assert source
