"""Sweeps: every job is accounted for."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from deepret.errors import UserError
from deepret.programs.sweep import job_name, run_job
from deepret.training.ledger import LEDGER, note, outcome, read_ledger

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


def job(task: Any, output: Path, words: tuple[str, ...] = ("seed=1",)) -> float:
    return run_job(OmegaConf.create({"output": str(output), "logger": {"group": None}}), words, task)


@pytest.mark.parametrize(
    ("error", "status", "raised"),
    [
        (UserError("no"), "failed", None),
        (ValueError("bad"), "failed", ValueError),
        (KeyboardInterrupt(), "stopped", KeyboardInterrupt),
    ],
)
def test_how_a_job_ended_is_written_down(tmp_path: Path, error: BaseException, status: str, raised: Any) -> None:
    def task(_: Any) -> None:
        raise error

    if raised is None:
        assert math.isnan(job(task, tmp_path))
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
    assert job_name(["loss.margin=0.1", "resume=auto", "output=a", "+cache=b", "seed=2"]) == "loss.margin=0.1 seed=2"


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    note(tmp_path / LEDGER, sweep="s", job="a", status="finished")
    with (tmp_path / LEDGER).open("a") as file:
        file.write('{"sweep": "s", "jo')
    assert list(read_ledger(tmp_path / LEDGER)) == ["a"]


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
