from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from started import ROOT, finish, start

from deepret.errors import UserError
from deepret.programs.reproduce import environment, processes_wanted
from deepret.runs.made_with import made_with
from deepret.runs.run import Run

WORDS = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "regions=rpn", "threads=1")


@pytest.mark.slow
def test_a_run_is_trained_again_and_compared(program, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = program("train", *WORDS).json
    ended = program("reproduce", trained["run"])
    assert ended.code == 0, ended.err
    assert ended.json["same"] is True
    assert Path(ended.json["again"]).name != Path(trained["run"]).name
    assert "made with the same versions, on the same machine." in ended.out
    assert "the same to the last bit." in ended.out

    run = Run.open(trained["run"])
    run.state["made_with"][0]["torch"] = "1.0"
    run.save()
    path = Path(trained["checkpoint"])
    checkpoint = torch.load(path, weights_only=True)
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name] = checkpoint["state_dict"][name] + 1
    torch.save(checkpoint, path)
    ended = program("reproduce", trained["run"], ended.json["again"])  # what is there already
    assert ended.code == 1
    assert ended.json["same"] is False
    assert any(line.split()[:2] == ["torch", "1.0"] for line in ended.out.splitlines())
    assert "weights of 3-ranking, largest difference" in ended.out


@pytest.mark.proof
def test_a_run_of_two_processes_is_trained_again_by_two(tmp_path: Path, cache: Path) -> None:
    trained = finish(start(tmp_path / "outputs", cache, *WORDS, "trainer=ddp_sim", "regions=grid"))
    assert [made["processes"] for made in Run.open(trained["run"]).state["made_with"]] == ["2"]
    for same in (True, False):
        words = [sys.executable, "-m", "deepret", "reproduce", trained["run"]]
        ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        assert ended.returncode == (not same), ended.stderr
        assert json.loads(ended.stdout.splitlines()[-1])["same"] is same
        assert ("the same to the last bit." in ended.stdout) is same
        assert "Traceback" not in ended.stderr
        path = Path(trained["run"]) / "metrics.csv"
        path.write_text(path.read_text().replace(",loss,", ",loss,1"))


@pytest.mark.parametrize(
    ("machines", "made", "here", "told"),
    [
        (1, 4, 2, "trained by 4 processes, and here are 2: take torchrun --nnodes=1 --nproc_per_node=4"),
        (2, 4, 4, None),
        (2, 4, 1, "on 2 machines: start it on as many, torchrun --nnodes=2 --nproc_per_node=2"),
    ],
)
def test_as_many_processes_as_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machines: int, made: int, here: int, told: str | None
) -> None:
    begun = {"processes": str(made), "machines": str(machines)}
    state = {"made_with": [begun, {"processes": "1", "machines": "1"}]}
    run = Run(tmp_path, {"trainer": {"accelerator": "cpu", "devices": "auto"}}, state)
    if here > 1:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
        monkeypatch.setattr("deepret.programs.reproduce.world", lambda: here)
    if told is None:
        assert processes_wanted(run) == 1
        return
    with pytest.raises(UserError, match=told):
        processes_wanted(run)


def test_one_machine_starts_what_the_run_began_with(tmp_path: Path) -> None:
    state = {"made_with": [{"processes": "2", "machines": "1"}, {"processes": "1", "machines": "1"}]}
    assert processes_wanted(Run(tmp_path, {"trainer": {"accelerator": "cpu", "devices": 1}}, state)) == 2


def test_later_starts_are_told(tmp_path: Path) -> None:
    one, two = {"torch": "1", "gpu": "none"}, {"torch": "2", "gpu": "none"}
    runs = [Run(tmp_path, {}, {"made_with": made}) for made in ([one, two], [two])]
    lines = [line.split() for line in environment(*runs).splitlines()]
    assert ["torch", "1", "2", "2"] in lines
    assert not [line for line in lines if line[:1] == ["gpu"]]


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "takes a run's folder"), (["a", "b", "c"], "takes a run's folder"), (["nowhere"], "there is no run")],
)
def test_what_is_no_run_is_told(program, words: list[str], told: str) -> None:
    ended = program("reproduce", *words)
    assert ended.code == 2
    assert told in ended.err


@pytest.mark.slow
def test_a_run_that_is_not_finished_is_told(program) -> None:
    trained = program("train", *WORDS[:3], "benchmark=none").json
    (Path(trained["run"]) / "result.json").unlink()
    ended = program("reproduce", trained["run"])
    assert ended.code == 2
    assert "not finished" in ended.err


def test_says_what_a_figure_may_depend_on() -> None:
    found: dict[str, Any] = made_with()
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert {"deepret", "revision", "cpu", "gpu", "threads", "processes"} <= set(found)
    assert json.loads(json.dumps(found)) == found
