from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from deepret.training.made_with import made_with
from deepret.training.run import Run

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
    run.state["made_with"]["torch"] = "1.0"
    run.save()
    path = Path(trained["checkpoint"])
    checkpoint = torch.load(path, weights_only=True)
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name] = checkpoint["state_dict"][name] + 1
    torch.save(checkpoint, path)
    ended = program("reproduce", trained["run"])
    assert ended.code == 1
    assert ended.json["same"] is False
    assert any(line.split()[:2] == ["torch", "1.0"] for line in ended.out.splitlines())
    assert "weights of 3-ranking, largest difference" in ended.out


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "takes one word"), (["a", "b"], "takes one word"), (["nowhere"], "there is no run")],
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
