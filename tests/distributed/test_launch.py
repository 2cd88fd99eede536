"""Who starts the processes of a training, and what becomes of those that nobody meets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from deepret.distributed import launch as launching
from deepret.distributed.launch import by_srun, launch, read_slurm, started, wanted
from deepret.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SRUN = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_JOB_ID": "123",
}


SIZES = ("WORLD_SIZE", "LOCAL_WORLD_SIZE")


@pytest.fixture(autouse=True)
def nobody_has_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", *SRUN):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 1),
        ({"devices": 2, "accelerator": "cpu"}, 2),
        ({"devices": "3"}, 3),
        ({"devices": "auto", "accelerator": "gpu"}, 3),
        ({"devices": -1}, 3),
        ({"devices": "auto", "accelerator": "cpu"}, 1),
        ({"devices": 8, "accelerator": "cpu"}, 8),
        ({"devices": "abc"}, 1),
        ({"devices": 0}, 1),
        ({"num_nodes": "two"}, 1),
    ],
)
def test_as_many_processes_as_devices(monkeypatch: pytest.MonkeyPatch, settings: dict, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert wanted(settings) == count


@pytest.mark.parametrize("run", ["torchrun", "srun"])
def test_processes_that_were_started_start_no_others(monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    more = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2"} if run == "torchrun" else SRUN
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert started()
    assert wanted({"devices": 2, "num_nodes": 2, "accelerator": "cpu"}) == 1


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(UserError, match=r"trainer.devices=4: this machine has 3 GPUs"):
        wanted({"devices": 4})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match=r"trainer.devices=64: this machine has 0 GPUs"):  # and 64 processes less
        wanted({"devices": 64, "accelerator": "gpu"})
    assert wanted({"devices": 4}) == 4  # on the CPU


def test_several_machines_have_to_be_started() -> None:
    with pytest.raises(UserError, match=r"trainer.num_nodes=2.*torchrun --nnodes=2 --nproc_per_node=4 train.py.*srun"):
        wanted({"num_nodes": 2, "devices": 4, "accelerator": "cpu"})


def test_reads_what_srun_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not by_srun()
    for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as slurm:
        for name, value in SRUN.items():
            slurm.setenv(name, value)
        assert by_srun()
        before = dict(os.environ)
        try:
            read_slurm()
            found = {name: os.environ[name] for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", *SIZES)}
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]
        assert int(found.pop("MASTER_PORT")) > 1024
        assert found == {
            "RANK": "3",
            "WORLD_SIZE": "4",
            "LOCAL_RANK": "1",
            "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "node07",
        }
        slurm.setenv("SLURM_STEP_TASKS_PER_NODE", "3,1")
        with pytest.raises(UserError, match="4 tasks on 2 machines"):
            read_slurm()
        slurm.setenv("SLURM_STEP_TASKS_PER_NODE", "2(x2)")
        slurm.setenv("SLURM_STEP_NUM_NODES", "3")
        with pytest.raises(UserError, match="4 tasks on 3 machines"):
            read_slurm()


def test_the_batch_script_of_a_job_is_no_task_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert not started()


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "told"),
    [
        ("0", "within 2 s"),  # it holds the meeting, and the other is missing
        ("1", "process 1 of 2 has not met the others at 127.0.0.1:"),  # nobody holds it
    ],
)
def test_a_process_that_meets_nobody_ends_with_a_message(tmp_path: Path, rank: str, told: str) -> None:
    more = {"TORCHELASTIC_RUN_ID": "x", "RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    more |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "DEEPRET_MEETING_SECONDS": "2"}
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "debug=fast"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
    )
    assert ended.returncode == 2, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("[")]  # torch's own remarks
    assert [line.startswith("error: ") for line in lines] == [True], ended.stderr
    assert told in lines[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_gives_the_code_of_the_process_that_failed(tmp_path: Path) -> None:
    words = ["loss.margin=x", "debug=fast"]
    program = f"import sys; from deepret.distributed.launch import launch; sys.exit(launch('train', {words}, 2))"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 2
    assert ended.stderr.count("error: loss.margin='x'") == 1
    assert len(ended.stderr.splitlines()) == 1


class Started:
    """A process that ends with a code, by itself or at a signal."""

    def __init__(self, code: int | None = None) -> None:
        self.returncode = code
        self.heard: list[int] = []

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.heard.append(number)
        self.returncode = -number if self.returncode is None else self.returncode


def starting(monkeypatch: pytest.MonkeyPatch, *processes: Started, also: Callable[[], None] = lambda: None) -> None:
    """Starts these instead of others; does something else when the first one starts."""
    left = list(processes)

    def start(*_: object, **__: object) -> Started:
        if len(left) == len(processes):
            also()
        return left.pop(0)

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(launching, "GRACE", 0.1)


def test_a_signal_while_processes_start_reaches_all(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [Started(), Started()]
    starting(monkeypatch, *processes, also=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert launch("train", [], 2) == 75
    assert [process.heard for process in processes] == [[signal.SIGTERM]] * 2


def test_a_signal_that_this_process_ignores_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [Started(), Started(2)]
    starting(monkeypatch, *processes, also=lambda: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert launch("train", [], 2) == 2
    finally:
        signal.signal(signal.SIGHUP, before)
    assert processes[0].heard == [signal.SIGTERM]  # the other one has failed


@pytest.mark.parametrize(
    ("program", "words", "how"),
    [
        ("train", [], "go on with resume=auto"),
        ("train", ["resume=last"], "go on with resume=auto"),
        ("train", ["resume=outputs/a"], "go on with resume=outputs/a"),
        ("reproduce", ["outputs/a"], "Start it again."),
    ],
)
def test_one_that_was_killed_is_told_before_the_others_are_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], program: str, words: list[str], how: str
) -> None:
    said: list[str] = []

    class Works(Started):
        """Alone, while the others wait: it hears of nothing."""

        def send_signal(self, number: int) -> None:
            said.append(capsys.readouterr().err)
            super().send_signal(number)

    starting(monkeypatch, Works(), Started(-signal.SIGKILL))
    assert launch(program, words, 2) == 128 + signal.SIGKILL
    assert said[0].startswith("error: process 1 was ended by SIGKILL.")
    assert how in said[0]
    assert capsys.readouterr().err == ""
