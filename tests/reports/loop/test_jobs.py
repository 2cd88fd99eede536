from __future__ import annotations

from pathlib import Path

import pytest

from deepret.config import compose, quoted, resolve
from deepret.errors import UserError
from deepret.reports.loop.jobs import Job, Scenes, Words, photograph_jobs, read_sets, scene_jobs

OUT, CACHE = Path("out"), Path("cache")


def words_of(job: Job) -> list[str]:
    return list(job.command[2:])


def test_sets_are_read() -> None:
    assert read_sets(["0.4/0", "0.2/12", "0/1", "1/0", "0.4/0"]) == [
        Scenes(0.4, 0),
        Scenes(0.2, 12),
        Scenes(0.0, 1),
        Scenes(1.0, 0),
    ]


@pytest.mark.parametrize("name", ["0.4", "0.4/", "/1", "1.5/0", "-0.1/0", "nan/0", "0.4/-1", "0.4/1.5"])
def test_what_is_no_set_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="write NOISE/SEED"):
        read_sets(["0.4/0", name])


def test_no_set_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to train on"):
        read_sets([])


def test_the_runs_on_scenes_are_the_commands_that_a_user_would_give() -> None:
    cleaning, noisy, response, boxes, longer = scene_jobs(Scenes(0.4, 1), OUT, CACHE, Words())
    assert cleaning.shown == (
        "python -m deepret clean data=scenes data.noise=0.4 data.seed=1 'splits=[train,val]' out=out/cleaned-0.4-1 "
        "cache=cache overwrite=true"
    )
    assert noisy.words[:4] == ("data=scenes", "data.noise=0.4", "data.seed=1", "seed=1")
    assert response.words[:4] == ("data=catalogue", "regions=rpn", "boxes=response", "seed=1")
    assert boxes.words[:4] == ("data=catalogue", "regions=rpn", "boxes=given", "seed=1")
    assert longer.words[:3] == ("data=catalogue", "regions=grid", "stages.ranking=5")
    for job in (response, boxes, longer):
        assert "data.root=out/cleaned-0.4-1" in job.places
        assert job.needs == Path("out/cleaned-0.4-1")
    assert noisy.needs is None
    assert len({job.name for job in (cleaning, noisy, response, boxes, longer)}) == 5


def test_the_grid_is_trained_on_for_as_many_epochs_as_proposals_in_all() -> None:
    jobs = {job.kind: job for job in scene_jobs(Scenes(0.4, 1), OUT, CACHE, Words())}
    stages = {kind: resolve(compose("train", words_of(jobs[kind])))["stages"] for kind in ("boxes", "longer")}
    assert stages["longer"]["ranking"] == stages["boxes"]["ranking"] + stages["boxes"]["refinement"]


def test_every_command_composes() -> None:
    more = Words(("data.train_classes=4",), ("drawn=2",), ("debug=fast",))
    for job in [
        *scene_jobs(Scenes(0.4, 1), Path("a b/c's"), CACHE, more),
        *photograph_jobs(Path("my photos"), OUT, CACHE, more),
    ]:
        config = resolve(compose(job.command[1], words_of(job)))
        assert config["cache"] == "cache"
        if job.kind == "cleaning":
            assert config["drawn"] == 2
        else:
            assert config["stages"]["steps"] == 2
            assert config["name"].startswith(job.kind)
        if job.scenes == "0.4/1" and job.kind in ("cleaning", "noisy"):
            assert config["data"]["train_classes"] == 4
        if job.kind in ("response", "boxes"):
            assert config["data"]["root"] == "a b/c's/cleaned-0.4-1"


def test_photographs_are_trained_on_over_the_grid_without_views() -> None:
    cleaning, noisy, cleaned = photograph_jobs(Path("photos"), OUT, CACHE, Words())
    assert resolve(compose("clean", words_of(cleaning)))["splits"] == ["train", "val"]
    for job, root in ((noisy, "photos"), (cleaned, "out/cleaned-photographs")):
        config = resolve(compose("train", words_of(job)))
        assert config["regions"]["_target_"].endswith(".Grid")
        assert config["data"]["views"] is None
        assert config["data"]["root"] == root
        assert config["optimizer"]["lr"] == 3e-5
    assert (noisy.needs, cleaned.needs) == (None, Path("out/cleaned-photographs"))


@pytest.mark.parametrize("path", ["a/b-c.d", "my photos", "a=b,c", "it's", "[x]{y}", "/a:b"])
def test_hydra_reads_a_quoted_path_as_it_is(path: str) -> None:
    assert compose("train", [f"output={quoted(Path(path))}"]).output == path
