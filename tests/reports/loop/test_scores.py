from __future__ import annotations

from typing import Any

import pytest

from deepret.errors import UserError
from deepret.reports.loop.jobs import Scenes
from deepret.reports.loop.scores import (
    BOXES,
    CLEANED,
    NOISY,
    gain_table,
    gains_of,
    photograph_table,
    quality_table,
    run_table,
    score_table,
    scores_of,
)


def trained(before: float, grid: float, last: float | None = None, queries: int = 200) -> dict[str, Any]:
    stages = {"before training": before, "1-ranking": grid} | ({} if last is None else {"3-ranking": last})
    return {"figures": {"stages": stages, "counts": {"queries": queries}}}


ENTRIES: dict[str, Any] = {
    "0.4/0 cleaning": {
        "figures": {"pictures": 400, "right": 0.6, "kept": 230, "precision": 0.98, "recall": 0.9, "boxes": 221}
        | {"iou_whole": 0.3, "iou_first": 0.5, "iou_last": 0.7}
    },
    "0.4/0 noisy": trained(0.5, 0.6),
    "0.4/0 response": trained(0.51, 0.69, 0.72),
    "0.4/0 boxes": trained(0.52, 0.7, 0.8),
    "0.4/0 longer": trained(0.52, 0.71),
    "0.4/1 noisy": trained(0.4, 0.5),
    "0.4/1 response": {"words": [], "attempts": 1},
    "0.4/1 boxes": trained(0.4, 0.58, 0.56),
    "0.2/0 noisy": trained(0.3, 0.4),
}
SETS = [Scenes(0.4, 0), Scenes(0.4, 1), Scenes(0.2, 0)]


def test_each_way_has_the_score_of_its_own_run_and_stage() -> None:
    assert list(scores_of(ENTRIES, "0.4/0").values()) == [0.5, 0.6, 0.7, 0.71, 0.72, 0.8]
    assert list(scores_of(ENTRIES, "0.4/1").values()) == [0.4, 0.5, 0.58, None, None, 0.56]
    assert list(scores_of({}, "0.4/0").values()) == [None] * 6


def test_means_stand_below_where_a_noise_has_seeds_and_all_are_there() -> None:
    _, rows = score_table(ENTRIES, SETS)
    assert [row[0] for row in rows] == ["0.4/0", "0.4/1", "0.2/0", "0.4, mean of 2"]
    assert rows[-1][1:] == [pytest.approx(45), pytest.approx(55), pytest.approx(64), None, None, pytest.approx(68)]
    assert rows[2][1:] == [30, 40, None, None, None, None]


def test_gains_are_taken_on_each_set_on_which_both_are_finished() -> None:
    assert gains_of(ENTRIES, SETS, CLEANED, NOISY) == pytest.approx([10, 8])
    assert gains_of(ENTRIES, SETS, BOXES, CLEANED) == pytest.approx([10, -2])
    _, rows = gain_table(ENTRIES, SETS)
    assert rows[1] == [f"{BOXES} − {CLEANED}", 2, pytest.approx(4), pytest.approx(72**0.5), 1]
    assert gain_table({}, SETS)[1][0][1:] == [0, None, None, 0]


def test_the_cleaning_stands_in_per_cent() -> None:
    _, rows = quality_table(ENTRIES, SETS[:2])
    assert rows[0] == ["0.4/0", 400, 60.0, 230, 98.0, 90.0, 221, 0.3, 0.5, 0.7]
    assert rows[1] == ["0.4/1", *[None] * 9]


def test_figures_of_other_photographs_are_not_compared() -> None:
    with pytest.raises(UserError, match=r"^0.4/0: its runs were scored on different photographs"):
        scores_of({**ENTRIES, "0.4/0 boxes": trained(0.5, 0.6, 0.7, queries=199)}, "0.4/0")


def test_photographs_have_three_ways() -> None:
    entries = {"photographs noisy": trained(0.82, 0.83), "photographs cleaned": trained(0.82, 0.84)}
    entries["photographs cleaning"] = {"figures": {"photographs": 1274, "kept": 1100}}
    assert photograph_table(entries)[1] == [[82.0, 83.0, 84.0, 1274, 1100]]
    assert photograph_table({})[1] == [[None] * 5]


def test_finished_runs_alone_are_listed() -> None:
    about = {"seconds": 3.0, "attempts": 2, "machine": "m", "date": "d", "command": "c"}
    _, rows = run_table({"a": {"figures": {}, **about}, "b": {"attempts": 1}})
    assert rows == [["a", 3.0, 2, "m", "d", "`c`"]]
