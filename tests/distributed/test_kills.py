"""Trainings in two processes that are killed, or asked to end, and gone on with in as many, or fewer, or more."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from started import finish, read_whole, start, steps, wait_for, weights

RUN = ("debug=fast", "trainer.precision=64-true", "threads=1", "optimizer.lr=0.0005", "logger.wandb=disabled")
TWO = (*RUN, "trainer=ddp_sim")
STAGES = ("regions=rpn", "ema=0.9", "stages.steps=6", "stages.ranking=4", "stages.proposals=3", "stages.refinement=2")
LOGGED = 6 * 4 + 3 * 13 + 6 * 2
POOL = ("regions=grid", "mining=pool", "mining.margin=2.0", "batch.images=6", "batch.images_per_class=3", "ema=0.9")
MEMORY = ("regions=grid", "references=cross_batch", "references.start=2")
EPOCHS = ("stages.steps=6", "stages.ranking=3")


def ranks(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a training has started, in the order of their ranks; none where it has ended."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            told = dict(v.split("=", 1) for v in (folder / "environ").read_text().split("\0") if "=" in v)
            if parent == process.pid and "RANK" in told:
                found[int(told["RANK"])] = int(folder.name)
    return [found[rank] for rank in sorted(found)]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def all_gone(pids: list[int], within: float = 20) -> bool:
    until = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))


def assert_same(first: dict, second: dict, tolerance: float = 0.0) -> None:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=0, atol=tolerance, msg=lambda m: f"{key}: {m}")  # noqa: B023
    assert second["mAP"] == pytest.approx(first["mAP"], abs=tolerance)


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict:
    """What two processes make of all stages if nothing happens to them."""
    return finish(start(tmp_path_factory.mktemp("alone") / "outputs", cache, *TWO, *STAGES))


@pytest.mark.proof
@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_is_killed_ends_all_and_they_go_on(tmp_path: Path, cache: Path, left_alone: dict, rank: int) -> None:
    """In each stage, in one of which the other process waits."""
    output = tmp_path / "outputs"
    process = start(output, cache, *TWO, *STAGES)
    for step in (9, 6 * 4 + 5, LOGGED - 4):
        wait_for(output, step, process)
        found = ranks(process)
        assert len(found) == 2
        os.kill(found[rank], signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert all_gone(found)
        assert process.returncode == 128 + signal.SIGKILL, err
        assert err.count("go on with resume=") == 1, err
        assert "asked for it" not in err, err
        assert "Traceback" not in err, err
        read_whole(output)
        process = start(output, cache, *TWO, *STAGES, "resume=last")
    resumed = finish(process)
    assert len(list(output.iterdir())) == 1
    assert_same(left_alone, resumed)


@pytest.mark.proof
def test_all_killed_at_ten_moments(tmp_path: Path, cache: Path, left_alone: dict) -> None:
    """Ten times at random, beginnings and ends of stages among them."""
    output, draw = tmp_path / "outputs", random.Random(3)
    process = start(output, cache, *TWO, *STAGES)
    for step in sorted(draw.sample(range(1, LOGGED), 10)):
        wait_for(output, step, process)
        time.sleep(draw.random() / 4)
        for pid in (*ranks(process), process.pid):
            with contextlib.suppress(ProcessLookupError):  # it may have come to its end
                os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=60)
        read_whole(output)
        if list(output.glob("*/result.json")):
            break
        process = start(output, cache, *TWO, *STAGES, "resume=last")
    resumed = finish(start(output, cache, *TWO, *STAGES, "resume=auto")) if process.poll() else finish(process)
    (run,) = output.iterdir()
    assert not list(run.rglob(".*.part"))
    assert_same(left_alone, resumed)


@pytest.mark.proof
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_all_asked_to_end(tmp_path: Path, cache: Path, left_alone: dict, number: signal.Signals) -> None:
    output = tmp_path / "outputs"
    process = start(output, cache, *TWO, *STAGES)
    for step in (8, 6 * 4 + 9, LOGGED - 5):
        wait_for(output, step, process)
        found = ranks(process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 75, err
        assert all_gone(found)
        assert err.count(f"{number.name} asked for it. The last good state is kept: go on with resume=") == 1
        assert list(output.glob("*/?-ranking/state.ckpt")) or 24 < step < 63  # proposals begin their epoch again
        read_whole(output)
        process = start(output, cache, *TWO, *STAGES, "resume=last")
    assert_same(left_alone, finish(process))


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(POOL, id="pool"),
        pytest.param(MEMORY, id="memory", marks=pytest.mark.proof),
        pytest.param(STAGES, id="rpn", marks=pytest.mark.proof),
        pytest.param((*STAGES, "regions.joint=true"), id="joint", marks=pytest.mark.proof),
    ],
)
def test_a_run_goes_on_with_more_processes_and_with_fewer(tmp_path: Path, cache: Path, words: tuple[str, ...]) -> None:
    """Begun by one, gone on with by two within an epoch, ended by one within another."""
    words = (*RUN, *(words if words[0] == "regions=rpn" else (*words, *EPOCHS)))
    output = tmp_path / "outputs"
    left_alone = start(tmp_path / "alone", cache, *words, "trainer=cpu")
    process = start(output, cache, *words, "trainer=cpu")
    for step, then in ((4, "trainer=ddp_sim"), (10, "trainer=cpu")):
        wait_for(output, step, process)
        process.send_signal(signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 75, err
        assert steps(output) < 17
        process = start(output, cache, *words, then, "resume=last")
    resumed = finish(process)
    assert len(list(output.iterdir())) == 1
    assert_same(finish(left_alone), resumed, 1e-6)


@pytest.mark.slow
def test_processes_do_not_outlive_the_one_that_started_them(tmp_path: Path, cache: Path) -> None:
    """They hear of its death as they hear a scheduler, so that nothing is lost."""
    output = tmp_path / "outputs"
    process = start(output, cache, *TWO, *POOL, *EPOCHS)
    wait_for(output, 4, process)
    found = ranks(process)
    assert len(found) == 2
    process.kill()
    process.communicate(timeout=60)
    assert all_gone(found)
    (run,) = output.iterdir()
    assert (run / "1-ranking" / "state.ckpt").is_file()
    read_whole(output)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.proof), 1])
def test_one_that_is_asked_to_end_ends_all(tmp_path: Path, cache: Path, rank: int) -> None:
    """Schedulers do not tell all at one moment, or only one."""
    output = tmp_path / "outputs"
    process = start(output, cache, *TWO, *POOL, *EPOCHS)
    wait_for(output, 4, process)
    os.kill(ranks(process)[rank], signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert err.count("SIGTERM asked for it") == 1
    assert list(output.glob("*/1-ranking/state.ckpt"))
