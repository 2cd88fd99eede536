from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepret.errors import UserError
from deepret.reports.parallel import parallel_coordinates, positions
from deepret.reports.sweep import Job, grouped, importance, jobs_of, sweep, varied
from deepret.runs.ledger import LEDGER, note


def job(score: float | None, **settings: object) -> Job:
    name = " ".join(f"{key}={value}" for key, value in settings.items())
    return Job(name, "finished" if score is not None else "failed", dict(settings), score)


def filled(folder: Path) -> None:
    """Nine jobs in which the margin decides, and the loss hardly; one failed, one was killed."""
    for margin in (0.1, 0.2, 0.3):
        for loss in ("a", "b", "c"):
            words = ["debug=fast", f"loss.margin={margin}", f"loss={loss}"]
            note(folder / LEDGER, sweep="s", words=words, status="began")
            if (margin, loss) == (0.1, "a"):
                continue
            if (margin, loss) == (0.3, "c"):
                note(folder / LEDGER, sweep="s", words=words, status="failed", why="no such thing")
                continue
            score = margin + (0.01 if loss == "b" else 0)
            note(
                folder / LEDGER,
                sweep="s",
                words=words,
                status="finished",
                run="r",
                mAP=score,
                benchmark="ukb (partial: 1 of 2)",
            )


def test_tells_of_every_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(tmp_path)
    found = sweep(str(tmp_path))
    assert (found["jobs"], found["finished"], found["failed"], found["began"]) == (9, 7, 1, 1)
    assert found["best"] == "debug=fast loss.margin=0.3 loss=b"
    assert list(found["importance"]) == ["loss.margin", "loss"]
    assert (
        found["importance"]["loss.margin"] > 0.9 > 0.5 > found["importance"]["loss"]
    )  # two are missing, so that groups are uneven
    out = capsys.readouterr().out
    assert "no such thing" in out
    assert out.count("ukb (partial: 1 of 2)") == 7  # each job's figure says what it is one of
    assert found["benchmark"] == "ukb (partial: 1 of 2)"
    assert "debug" not in out  # all jobs have it
    assert (tmp_path / "sweep.png").stat().st_size > 1000


def test_tells_of_the_newest_sweep_or_the_named_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, words in (("one", ["a=1"]), ("one", ["a=2"]), ("two", ["b=1"]), ("two", ["a=2"])):
        note(tmp_path / LEDGER, sweep=name, words=words, status="finished", run="r", mAP=0.5)
        note(tmp_path / LEDGER, sweep=name, words=words, status="finished", run="r", mAP=0.5)
    assert sweep(str(tmp_path))["jobs"] == 2
    assert "two: 2 jobs; others there: one" in capsys.readouterr().out
    assert sweep(str(tmp_path), sweep="one")["jobs"] == 2  # one of which the other sweep has too
    with pytest.raises(UserError, match=r"sweep=three: .*there are: one, two"):
        sweep(str(tmp_path), sweep="three")


def test_an_output_without_a_sweep_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sweep was written down there"):
        sweep(str(tmp_path))


def test_importance_is_the_share_of_the_variance_between_groups() -> None:
    random = np.random.default_rng(0)
    jobs = [job(float(random.random()), a=int(random.integers(3)), b="xy"[int(random.integers(2))]) for _ in range(30)]
    scores = np.array([j.score for j in jobs])
    for key, share in importance(jobs, ["a", "b"]).items():
        values = np.array([str(j.settings[key]) for j in jobs])
        within = sum(((scores[values == v] - scores[values == v].mean()) ** 2).sum() for v in set(values.tolist()))
        assert share == pytest.approx(1 - within / ((scores - scores.mean()) ** 2).sum())


def test_scores_that_are_alike_have_no_reason() -> None:
    assert importance([job(0.5, a=1), job(0.5, a=2), job(None, a=3)], ["a"]) == {}


def test_many_numbers_are_four_groups() -> None:
    assert grouped([0.1 * i for i in range(12)]) == [i // 3 for i in range(12)]
    assert grouped([1, 2, 2, 1]) == ["1", "2", "2", "1"]
    assert grouped([1, 2, 3, 4, "x"]) == ["1", "2", "3", "4", "x"]


def test_settings_that_differ() -> None:
    assert varied([job(1, a=1, b=2), job(1, a=1, b=3), job(1, a=1)]) == ["b"]


def test_words_become_values(tmp_path: Path) -> None:
    words = ["a=0.5", "+b=true", "c=[1,2]", "d=x", "data.root='my photos: all'", "e=null", "loss@f=g", "h=a\\ b"]
    note(tmp_path / LEDGER, sweep="s", words=words, status="began")
    assert jobs_of(tmp_path, "s")[0].settings == {
        "a": 0.5,
        "b": True,
        "c": "[1,2]",
        "d": "x",
        "data.root": "my photos: all",
        "e": None,
        "loss@f": "g",
        "h": "a b",
    }


def test_positions_on_an_axis() -> None:
    assert positions([1, 3, 2])[0] == [0, 1, 0.5]
    assert positions(["b", "a", True])[0] == [1, 0.5, 0]
    assert positions([2, 2])[0] == [0.5, 0.5]


def test_the_best_line_is_on_top() -> None:
    picture = np.asarray(parallel_coordinates({"a": [0, 0]}, [1.0, 2.0], "mAP"))
    alone = np.asarray(parallel_coordinates({"a": [0, 1]}, [1.0, 2.0], "mAP"))
    assert picture.shape == alone.shape
    red = ((picture[..., 0] > 200) & (picture[..., 2] < 60)).sum()
    assert red > 100


def test_bars_show_what_each_setting_explains() -> None:
    columns, scores = {"a": [0, 1], "b": [1, 0]}, [1.0, 2.0]
    plain = np.asarray(parallel_coordinates(columns, scores, "mAP")).astype(int)
    shown = np.asarray(parallel_coordinates(columns, scores, "mAP", {"a": 0.75, "b": 0.25})).astype(int)
    changed = (plain != shown).any(axis=2) & (shown == (215, 48, 39)).all(axis=2)
    half = (90 + 280) // 2  # between the two axes
    left, right = changed[:, :half].sum(), changed[:, half:].sum()
    assert right > 0
    assert 2.5 < left / right < 3.5
