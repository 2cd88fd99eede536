from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deepret.benchmarks.result import Result
from deepret.data.photo import Photo
from deepret.reports.table import cell, markdown, results_report, results_table, table


def result(benchmark: str = "split", counts: dict[str, int] | None = None, **metrics: float) -> Result:
    shown = {name.replace("_", "@"): value for name, value in metrics.items()}
    photos = [Photo(Path("a.jpg"))]
    made = {"queries": 1200, "database": 34567, **(counts or {})}
    return Result(benchmark, shown, made, photos, photos, torch.zeros(1, 1), [{0}], torch.ones(1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.125, "0.12"),
        (3, "3"),
        (1234567, "1,234,567"),
        (None, "-"),
        (float("nan"), "-"),
        (True, "yes"),
        ("a b", "a b"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_columns_line_up_text_left_and_numbers_right() -> None:
    text = table(["name", "n", "share"], [["grid", 5, 0.5], ["a longer name", 12345, None]])
    assert text.splitlines() == [
        "name                n  share",
        "-------------  ------  -----",
        "grid                5   0.50",
        "a longer name  12,345      -",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(["a", "bc"], []).splitlines() == ["a  bc", "-  --"]


def test_published_figures_stand_below_whole_copies_alone() -> None:
    whole, part = result("ukb", mAP=0.5), result("oxford5k (partial: 12 of 5,063)", mAP=0.5)
    lines = results_report({"whole": whole, "part": part}).splitlines()
    below = lines[lines.index("published") :]
    assert any("Babenko" in line for line in below)
    assert not any("oxford5k" in line for line in below)
    assert results_report({"part": part}) == results_table({"part": part})


def test_results_stand_in_per_cent_with_what_is_missing_below() -> None:
    before = result(mAP=0.5, recall_1=0.25, counts={"distractors": 0, "left_out": 3})
    after = result("oxford5k (partial: 12 of 5,063)", mAP=0.87654, counts={"missing_junk": 1000})
    assert results_table({"untrained": before, "trained": after}).splitlines() == [
        "           benchmark                        queries  images  mAP %  recall@1 %",
        "---------  -------------------------------  -------  ------  -----  ----------",
        "untrained  split                              1,200  34,567  50.00       25.00",
        "trained    oxford5k (partial: 12 of 5,063)    1,200  34,567  87.65           -",
        "split: left out 3.",
        "oxford5k (partial: 12 of 5,063): missing junk 1,000.",
    ]


def test_markdown_has_the_same_cells() -> None:
    assert markdown(["name", "share"], [["a|b", 0.5], ["c", None]]).splitlines() == [
        "| name | share |",
        "| --- | --- |",
        "| a\\|b | 0.50 |",
        "| c | - |",
    ]
