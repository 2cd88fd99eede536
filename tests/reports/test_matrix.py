from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev

import pytest

from deepret.errors import UserError
from deepret.reports.heat_map import PAPER, heat_map, shade
from deepret.reports.matrix import Trained, explained, matrix
from deepret.runs.ledger import LEDGER, note

SCORES = {
    ("grid", "triplet"): [0.70, 0.72, 0.74],
    ("grid", "arcface"): [0.60, 0.62, 0.64],
    ("rpn", "triplet"): [0.80, 0.82, 0.84],
}


def filled(folder: Path, *more: str) -> None:
    """Two strategies with two losses and three seeds; one cell failed, one run's folder is gone."""
    for (row, column), scores in SCORES.items():
        for seed, score in enumerate(scores):
            words = [f"regions={row}", f"loss={column}", f"seed={seed}", *more]
            run = folder / f"{row}-{column}-{seed}"
            if (row, seed) != ("rpn", 2):
                run.mkdir()
                result = {"stages": {"before training": 0.5, "1-ranking": score}, "seconds": 100.0 + seed}
                (run / "result.json").write_text(json.dumps(result))
            note(folder / LEDGER, sweep="s", words=words, status="finished", run=str(run), mAP=score)
    words = ["regions=rpn", "loss=arcface", "seed=0", *more]
    note(folder / LEDGER, sweep="s", words=words, status="failed", why="no such thing")


def test_tells_mean_and_spread_of_each_cell_and_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(tmp_path)
    found = matrix(str(tmp_path))
    assert (found["jobs"], found["finished"]) == (10, 9)
    assert found["cells"] == {"grid": {"triplet": 0.72, "arcface": 0.62}, "rpn": {"triplet": 0.82}}
    assert found["best"] == {"regions": "rpn", "loss": "triplet", "mAP": 0.82}
    page = (tmp_path / "matrix.md").read_text()
    assert "| grid | 50.00 | 72.00 ± 2.0 (3) | 62.00 ± 2.0 (3) | 101 | - |" in page
    assert "| rpn | 50.00 | 82.00 ± 2.0 (3) | - | 100 | - |" in page
    out = capsys.readouterr().out
    assert "The best is regions=rpn loss=triplet: 82.0, ± 2.0 (3)." in out
    assert "regions: rpn 82.0, grid 67.0." in out
    assert "1 of 4 cells have no finished run." in out
    assert "Not finished: regions=rpn loss=arcface seed=0." in out
    lines = (tmp_path / "matrix.csv").read_text().splitlines()
    assert lines[0] == "regions,loss,seed,mAP %,mAP % before training,seconds"
    assert "rpn,triplet,2,84.000,," in lines
    assert len(lines) == 10
    assert (tmp_path / "matrix.png").stat().st_size > 1000


def test_any_two_settings_serve(tmp_path: Path) -> None:
    filled(tmp_path, "loss.margin=0.1")
    found = matrix(str(tmp_path), rows="loss", columns="regions", picture=str(tmp_path / "other.png"))
    assert found["cells"]["triplet"] == {"grid": 0.72, "rpn": 0.82}
    assert (tmp_path / "other.png").exists()


def test_what_is_explained_is_the_variance_between_groups() -> None:
    runs = [
        Trained(row, column, str(seed), 100 * score, None, None)
        for (row, column), scores in SCORES.items()
        for seed, score in enumerate(scores)
    ]
    shares = explained(runs, "regions", "loss")
    every = [run.score for run in runs]
    within = sum(stdev([100 * s for s in scores]) ** 2 * (len(scores) - 1) for scores in SCORES.values())
    total = sum((score - mean(every)) ** 2 for score in every)
    assert shares["seeds"] == pytest.approx(within / total)
    assert shares["the two together"] == pytest.approx(1 - within / total)
    rows = {"grid": 6, "rpn": 3}
    of_rows = {name: mean(run.score for run in runs if run.row == name) for name in rows}
    assert shares["regions"] == pytest.approx(
        sum(n * (of_rows[name] - mean(every)) ** 2 for name, n in rows.items()) / total
    )
    assert explained([Trained("a", "b", "0", 1.0, None, None)] * 2, "x", "y") == {}


@pytest.mark.parametrize(
    ("more", "words", "message"),
    [
        ((), {"rows": "pooling"}, r"rows=pooling: not every job .* names pooling; they differ in regions, loss, seed"),
        ((), {"sweep": "t"}, r"sweep=t: .* has none of this name"),
        ((), {"rows": "loss"}, r"the jobs differ in regions, too, .*rows=regions or columns=regions"),
    ],
)
def test_a_mistake_is_one_message(tmp_path: Path, more: tuple[str], words: dict[str, str], message: str) -> None:
    filled(tmp_path, *more)
    with pytest.raises(UserError, match=message):
        matrix(str(tmp_path), **words)


def test_a_sweep_without_finished_jobs_or_none_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sweep was written down there"):
        matrix(str(tmp_path))
    note(tmp_path / LEDGER, sweep="s", words=["regions=grid", "loss=triplet"], status="began")
    with pytest.raises(UserError, match="none of the 1 jobs of s is finished"):
        matrix(str(tmp_path))


def test_fields_are_the_darker_the_larger_the_figure_and_grey_where_there_is_none() -> None:
    cells = {("a", "x"): (1.0, ""), ("a", "y"): (3.0, ""), ("b", "x"): (2.0, "")}
    picture = heat_map(["a", "b"], ["x", "y"], cells, "mAP %")
    colours = {colour for _, colour in picture.getcolors(maxcolors=10_000)}
    assert {shade(0.0), shade(0.5), shade(1.0), (0xEE, 0xEE, 0xEE)} <= colours
    assert sum(shade(0.0)) > sum(shade(0.5)) > sum(shade(1.0))
    assert picture.getpixel((0, 0)) == tuple(bytes.fromhex(PAPER[1:]))
    one = heat_map(["a"], ["x"], {("a", "x"): (1.0, "one run")}, "mAP %")
    assert one.size[0] < picture.size[0]
