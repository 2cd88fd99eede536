"""The time that is left of a table."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from deepret.programs.tables import progress
from deepret.programs.tables.cells import Cell
from deepret.programs.tables.composed import Composer
from deepret.programs.tables.progress import SLOW as SLOW_EXPERIMENTS
from deepret.programs.tables.progress import Progress, weights_of
from deepret.programs.tables.rows import read_rows

QUICK, SLOW = (read_rows([words])[0] for words in ("mac", "gem"))


def cell(row: object, name: str) -> Cell:
    return Cell(name, (), "", "scores", row)  # type: ignore[arg-type]


def test_a_row_that_is_begun_goes_at_its_own_pace_and_others_at_that_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    quick = [cell(QUICK, f"quick {i} [x]") for i in range(3)]
    slow = [cell(SLOW, f"slow {i} [x]") for i in range(3)]
    bar = Progress({**dict.fromkeys(quick, 10.0), **dict.fromkeys(slow, 10.0)})
    now = 600.0  # 500 of them for what the row is fitted on
    bar.end("one", quick[:1], 100.0)
    assert bar.seconds_left() == 2 * 100 + 3 * 600
    now = 700.0
    bar.end("another", quick[1:2], 100.0)
    assert bar.seconds_left() == 100 + 3 * 700 / 2
    bar.end("cannot be had", quick[2:])
    assert bar.seconds_left() == 3 * 700 / 2  # it was no work
    now = 1_700.0
    bar.end("a third", slow[:1], 900.0)
    assert bar.seconds_left() == 2 * 900
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "[1 of 6, about 33 min left] one"
    assert said[-1] == "[4 of 6, about 30 min left] a third"


def test_an_experiment_that_is_known_to_be_slow_is_more_work_before_it_is_begun(tmp_path: Path) -> None:
    (slow,), (other,) = read_rows(["triangulation64_sift"]), read_rows(["triangulation64_sift aggregation.rounds=0"])
    column = SimpleNamespace(name="scenes", looked_at=100, more=())
    cells = [Cell("", (), "", "scores", row, column) for row in (slow, other)]  # type: ignore[arg-type]
    cells.append(Cell("", (), "", "reduced", slow, column))  # type: ignore[arg-type]
    cells += [Cell("", (), "", "size", row) for row in (slow, other)]
    found = [*weights_of(cells, Composer([], tmp_path, False, []), train=50, timed=2).values()]
    more = SLOW_EXPERIMENTS["triangulation64_sift"]
    assert found == pytest.approx([100 * (1 + more), 100, 0.01 * 100 + 50 * (1 + more), 5 * (1 + more), 5])
