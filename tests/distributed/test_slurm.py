"""Jobs of a real SLURM, where one runs; a cluster of one machine will do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600
WORDS = ("trainer.accelerator=cpu", "debug=fast", "trainer.precision=64-true", "stages.steps=20", "threads=1")


def works() -> bool:
    return shutil.which("sinfo") is not None and subprocess.run(["sinfo"], capture_output=True).returncode == 0


pytestmark = [pytest.mark.proof, pytest.mark.skipif(not works(), reason="no SLURM runs here")]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **more}


def test_tasks_of_srun_are_one_training(tmp_path: Path, cache: Path) -> None:
    command = ["srun", "-n2", sys.executable, str(ROOT / "train.py"), "trainer=ddp", *WORDS, f"cache={cache}"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=LIMIT)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.strip().splitlines()
    assert [line.startswith("{") for line in lines] == [False] * (len(lines) - 1) + [True]
    assert len(list((tmp_path / "outputs").iterdir())) == 1


def test_a_job_whose_time_is_over_goes_on_by_itself(tmp_path: Path, cache: Path) -> None:
    """Two minutes at a time, of which the signal leaves it a half to one and a half; two such pieces, or six if slow.

    SLURM lets two minutes pass before it starts a job again.
    """
    resources = ["--gpus-per-node=0", "--ntasks-per-node=2", "--cpus-per-task=1", "--time=2", "--signal=USR1@30"]
    words = ("sbatch", "--parsable", *resources, f"--output={tmp_path}/job.log", "conf/cluster/train.sbatch")
    words += (*WORDS, "stages.ranking=30", f"cache={cache}")
    started = subprocess.run(
        words, cwd=ROOT, env=environment(OUTPUT=str(tmp_path / "outputs")), capture_output=True, text=True, check=True
    )
    job, until = started.stdout.strip(), time.monotonic() + 4 * LIMIT
    try:
        while time.monotonic() < until and not list(tmp_path.glob("outputs/*/*/result.json")):
            time.sleep(2)
    finally:
        subprocess.run(["scancel", job])
    said = (tmp_path / "job.log").read_text()
    assert "SIGUSR1 asked for it" in said
    (folder,) = (tmp_path / "outputs").iterdir()
    assert folder.name == f"job-{job}"
    (run,) = folder.iterdir()
    assert json.loads((run / "result.json").read_text())["run"] == str(run)


def test_a_job_that_is_cancelled_stays_so(tmp_path: Path, cache: Path) -> None:
    """It saves its state, as if it had to make room, but does not queue again."""
    resources = ["--gpus-per-node=0", "--ntasks-per-node=2", "--cpus-per-task=1", "--time=20"]
    words = ("sbatch", "--parsable", *resources, f"--output={tmp_path}/job.log", "conf/cluster/train.sbatch")
    words += (*WORDS, "stages.ranking=100", f"cache={cache}")
    started = subprocess.run(
        words, cwd=ROOT, env=environment(OUTPUT=str(tmp_path / "outputs")), capture_output=True, text=True, check=True
    )
    job, until = started.stdout.strip(), time.monotonic() + LIMIT
    while time.monotonic() < until and not list(tmp_path.glob("outputs/*/*/1-ranking/state.ckpt")):
        time.sleep(1)
    subprocess.run(["scancel", job], check=True)
    states = set()
    for _ in range(45):
        told = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True).stdout
        states.add(told.partition("JobState=")[2].split()[0])
        time.sleep(1)
    assert states <= {"RUNNING", "CANCELLED", "COMPLETING"}
    assert "CANCELLED" in states
    assert "SIGTERM asked for it" in (tmp_path / "job.log").read_text()
