from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deepret.errors import UserError
from deepret.reports.loop.jobs import Job
from deepret.reports.results import Results


def test_a_run_is_finished_when_its_figures_are_there(tmp_path: Path, job: Job) -> None:
    results = Results(tmp_path / "results.json")
    assert results.figures(job.name) is None
    results.begin(job)
    assert results.figures(job.name) is None
    results.begin(job)  # after it was cut off
    results.finish(job, {"stages": {}}, 12.34)
    entry = Results(tmp_path / "results.json").entries()["0.4/0 noisy"]
    assert entry["figures"] == {"stages": {}} == results.figures(job.name)
    assert (entry["attempts"], entry["seconds"]) == (2, 12.3)
    assert entry["command"] == job.shown
    assert "cores" in entry["machine"]
    assert entry["date"].startswith("20")


def test_what_others_have_noted_meanwhile_stays(tmp_path: Path, job: Job) -> None:
    one, two = Results(tmp_path / "results.json"), Results(tmp_path / "results.json")
    one.begin(job)
    two.begin(replace(job, kind="boxes"))
    one.finish(job, {"stages": {}}, 1.0)
    assert list(two.entries()) == ["0.4/0 noisy", "0.4/0 boxes"]


def test_other_places_are_the_same_run_other_settings_are_not(tmp_path: Path, job: Job) -> None:
    results = Results(tmp_path / "results.json")
    results.begin(job)
    results.check([replace(job, places=("output=elsewhere",))])
    with pytest.raises(UserError, match=r"'0.4/0 noisy' was made with other settings \(data=scenes seed=0\)"):
        results.check([replace(job, words=(*job.words, "stages.steps=1"))])


@pytest.mark.parametrize("text", ["{", "[]", '{"0.4/0 noisy": 1}'])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=r"results.json: cannot be read"):
        Results(tmp_path / "results.json").entries()
