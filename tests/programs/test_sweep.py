"""Sweeps: every job is accounted for."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from deepret.errors import Preempted, UserError
from deepret.programs.sweep import kept, ledger_of, run_job
from deepret.reports.matrix import matrix
from deepret.runs.ledger import LEDGER, note, outcome, read_ledger
from deepret.runs.run import Run, digest

ROOT = Path(__file__).resolve().parents[2]
FAST = ("debug=fast", "trainer=cpu", "regions=grid", "hydra.sweep.dir=sweep")


@pytest.mark.slow
def test_a_job_that_fails_does_not_end_the_others(program) -> None:
    words = ("-m", *FAST, "loss.margin=0.05,-1,0.2", "resume=auto")
    ended = program("train", *words)
    assert ended.code == 1
    assert "error: loss.margin=-1" in ended.out
    assert "2 of 3 jobs are finished." in ended.out
    assert "failed: " in ended.out
    jobs = list(read_ledger(Path("outputs") / LEDGER).values())
    assert [job["status"] for job in jobs] == ["finished", "failed", "finished"]
    assert all(0 < job["mAP"] < 1 for job in jobs[::2])
    runs = sorted(p.name for p in Path("outputs").iterdir() if p.is_dir())
    assert len(runs) == 2
    groups = {OmegaConf.load(f"outputs/{run}/config.yaml").logger.group for run in runs}
    assert len(groups) == 1
    assert None not in groups

    again = program("train", *words)
    assert again.code == 1
    assert again.out.count("is finished already") == 2
    assert sorted(p.name for p in Path("outputs").iterdir() if p.is_dir()) == runs


@pytest.mark.slow
def test_the_matrix_fills_its_cells_and_goes_on_where_it_ended(program) -> None:
    words = ("-m", "experiment=matrix", "debug=fast", "trainer=cpu", "hydra.sweep.dir=sweep", "resume=auto")
    chosen = ("regions=grid,rpn", "seed=0")
    assert program("train", *words, *chosen, "loss=triplet").code == 0
    ended = program("train", *words, *chosen, "loss=triplet,listwise_ap")
    assert (ended.code, ended.out.count("is finished already")) == (0, 2)
    found = matrix("outputs")
    assert found["finished"] == 4
    assert {*found["cells"]} == {"grid", "rpn"}
    assert all({*cells} == {"triplet", "listwise_ap"} for cells in found["cells"].values())
    assert {*found["milliseconds"]} == {"grid", "rpn"}


def job(task: Any, output: Path, words: tuple[str, ...] = ("seed=1",)) -> float:
    return run_job(OmegaConf.create({"output": str(output), "logger": {"group": None}}), words, task)


@pytest.mark.parametrize(
    ("error", "status", "raised"),
    [
        (UserError("no"), "failed", None),
        (ValueError("bad"), "failed", None),
        (KeyboardInterrupt(), "stopped", KeyboardInterrupt),
    ],
)
def test_how_a_job_ended_is_written_down(tmp_path: Path, error: BaseException, status: str, raised: Any) -> None:
    def task(*_: Any) -> int:
        raise error

    if raised is None:
        assert job(task, tmp_path) == 0.0  # a number, without which Optuna ends
    else:
        with pytest.raises(raised):
            job(task, tmp_path)
    (entry,) = read_ledger(tmp_path / LEDGER).values()
    assert entry["status"] == status
    said, finished = outcome(tmp_path / LEDGER, entry["sweep"])
    assert not finished
    assert "0 of 1 jobs are finished." in said
    assert f"{status}: seed=1" in said


def test_a_job_is_known_by_what_it_is() -> None:
    words = ["loss.margin=0.1", "resume=auto", "output=a", "+cache=b", "logger.group=s", "seed=2"]
    assert kept(words) == ["loss.margin=0.1", "seed=2"]


def test_a_line_that_was_cut_off_is_left_out_and_no_other(tmp_path: Path) -> None:
    note(tmp_path / LEDGER, sweep="s", words=["a=1"], status="finished")
    with (tmp_path / LEDGER).open("a") as file:
        file.write('{"sweep": "s", "wo')
    assert list(read_ledger(tmp_path / LEDGER)) == ["a=1"]
    note(tmp_path / LEDGER, sweep="s", words=["b=2", "c=3"], status="began")
    assert list(read_ledger(tmp_path / LEDGER)) == ["a=1", "b=2 c=3"]


def noted(path: Path, job: int) -> None:
    for number in range(50):
        note(path, sweep="s", words=[f"job={job}"], status="began", number=number, long="x" * 9000)


def test_jobs_that_write_at_once_do_not_mix(tmp_path: Path) -> None:
    writers = [multiprocessing.get_context("fork").Process(target=noted, args=(tmp_path / LEDGER, j)) for j in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = [json.loads(line) for line in (tmp_path / LEDGER).read_text().splitlines()]
    assert sorted((line["words"][0], line["number"]) for line in lines) == [
        (f"job={job}", number) for job in range(4) for number in range(50)
    ]


def test_a_sweep_without_jobs_has_not_finished(tmp_path: Path) -> None:
    assert outcome(tmp_path / LEDGER, "s") == ("0 of 0 jobs are finished.", False)


def test_where_the_ledger_lies(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\noutput: elsewhere\n")
    words = ["-m", "loss.margin=0.1,0.2", "optimizer.lr=interval(0.1,0.2)", "hydra.sweep.dir=x", "seed=range(3)"]
    assert ledger_of(words) == Path("outputs") / LEDGER
    assert ledger_of([*words, "output=here"]) == Path("here") / LEDGER
    mine = ["--config-dir", str(tmp_path), "experiment=mine"]
    assert ledger_of([*words, *mine]) == Path("elsewhere") / LEDGER


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("output=a,b", "share one output folder"),
        ("los.margin=1,2", "did you mean 'loss.margin'"),
        ("loss=a{", "cannot read"),
        ("resume=outputs/a,outputs/b", "go on with resume=auto"),
    ],
)
def test_what_no_job_could_do_is_told_before_any_begins(program, word: str, message: str) -> None:
    ended = program("train", "-m", *FAST, word)
    assert ended.code == 2
    assert message in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize(("code", "status"), [(75, "stopped"), (130, "stopped"), (2, "failed"), (137, "failed")])
def test_processes_that_a_job_starts_are_of_the_sweep(tmp_path: Path, code: int, status: str) -> None:
    """One of them that fails has nothing of a run that finished before it."""
    given: list[str] = []
    earlier = Run.start({"output": str(tmp_path), "name": "earlier"}, digest({"logger": {}, "output": ""}))
    earlier.state["status"] = "finished"
    earlier.save()
    (earlier.folder / "result.json").write_text('{"mAP": 0.9}')

    def launched(cfg: Any, words: list[str]) -> int:
        given.extend(words)
        return code

    with contextlib.nullcontext() if status == "failed" else pytest.raises((Preempted, KeyboardInterrupt)):
        assert job(launched, tmp_path) == 0.0
    (entry,) = read_ledger(tmp_path / LEDGER).values()
    assert entry["status"] == status
    assert given == ["seed=1", f"logger.group={entry['sweep']}"]
    earlier.let_go()


def test_a_job_is_worth_the_map_of_its_run(tmp_path: Path) -> None:
    test_processes_that_a_job_starts_are_of_the_sweep(tmp_path, 2, "failed")
    assert job(lambda *_: 0, tmp_path) == 0.9


@pytest.mark.proof
def test_twelve_jobs_one_killed_and_two_failing(tmp_path: Path, cache: Path) -> None:
    margins = [0.05, 0.1, -1, 0.15, 0.2, 0.25, 0.3, -2, 0.35, 0.4, 0.45, 0.5]
    words = ("stages.steps=4", f"loss.margin={','.join(map(str, margins))}", "resume=auto", f"cache={cache}")
    command = [sys.executable, str(ROOT / "train.py"), "-m", *FAST, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    while len(read_ledger(tmp_path / "outputs" / LEDGER)) < 5:
        time.sleep(0.2)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = read_ledger(tmp_path / "outputs" / LEDGER)
    assert [entry["status"] for entry in before.values()] == ["finished", "finished", "failed", "finished", "began"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    after = read_ledger(tmp_path / "outputs" / LEDGER)
    assert [entry["status"] for entry in after.values()] == ["finished" if m > 0 else "failed" for m in margins]
    assert "10 of 12 jobs are finished." in ended.stdout
    assert ended.stdout.count("is finished already") == 3
    assert len([p for p in (tmp_path / "outputs").iterdir() if p.is_dir()]) == 10  # the killed one was gone on with


def swept(folder: Path, cache: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    """How a sweep in processes of its own ended, and what its ledger holds."""
    command = [sys.executable, str(ROOT / "train.py"), "-m", *FAST, f"cache={cache}", "resume=auto", *words]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=400
    )
    return ended, list(read_ledger(folder / "outputs" / LEDGER).values())


@pytest.mark.proof
def test_jobs_of_submitits_are_one_sweep(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install deepret[slurm]")
    output = f"output={tmp_path / 'outputs'}"
    ended, jobs = swept(tmp_path, cache, "hydra/launcher=submitit_local", "loss.margin=0.05,-1,0.2", output)
    assert ended.returncode == 1, ended.stderr
    assert "2 of 3 jobs are finished." in ended.stdout
    assert sorted(job["status"] for job in jobs) == ["failed", "finished", "finished"]
    assert len({job["sweep"] for job in jobs}) == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.proof
def test_optuna_goes_on_after_a_job_that_fails(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="pip install deepret[sweep]")
    words = ("hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_jobs=1")
    words += ("hydra.sweeper.n_trials=4", "hydra.sweeper.sampler.seed=1", "loss.margin=choice(0.05,-1,0.2)")
    ended, jobs = swept(tmp_path, cache, *words)
    assert ended.returncode == 1, ended.stderr
    assert {job["status"] for job in jobs} == {"failed", "finished"}
    assert "Traceback" not in ended.stderr
    assert "best" in ended.stdout + ended.stderr
