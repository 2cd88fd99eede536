"""The comparison of noisy and cleaned data: its order, its results, and how it goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from started import holder

from deepret.errors import UserError
from deepret.reports import cleaning_loop as report
from deepret.reports.command import called
from deepret.reports.loop import program

ROOT = Path(__file__).resolve().parents[2]
KINDS = ["cleaning", "noisy", "response", "boxes", "longer"]
QUALITY = {"pictures": 8, "right": 0.75, "precision": 1.0, "recall": 0.5, "boxes": 3}
QUALITY |= {"iou_whole": 0.3, "iou_first": 0.5, "iou_last": 0.7}


class Programs:
    """Stands in for the programs: does what a run leaves for others, and gives what its last line says."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fails = ""

    def __call__(self, command: Sequence[str], log: Path) -> dict[str, Any]:
        self.ran.append(log.name)
        if log.name == self.fails:
            raise UserError("the disk is full")
        words = dict(word.split("=", 1) for word in command[2:])
        if command[1] == "clean":
            out = Path(words["out"])
            out.mkdir(parents=True, exist_ok=True)
            (out / "cleaning.json").write_text('{"made_by": "deepret clean", "finished": true}')
            return {key: 8 for key in report.OF_CLEANING} | {"out": str(out)}
        assert words["resume"] == "auto"
        if "cleaned" in words.get("data.root", ""):
            assert (Path(words["data.root"]) / "cleaning.json").exists()
        scores = {"noisy": 0.6, "response": 0.7, "boxes": 0.65, "longer": 0.68, "cleaned": 0.7}
        score = scores[words["name"].partition("-")[0]]
        stages = {"before training": 0.5, "1-ranking": score, "3-ranking": score + 0.1}
        return {"benchmark": "split", "stages": stages, "counts": {"queries": 3}, "mAP": score}


Told = Callable[..., dict[str, Any]]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    found = Programs()
    monkeypatch.setattr(program, "run", found)
    monkeypatch.setattr(report, "cleaning_quality", lambda _: QUALITY)
    return found


def told(folder: Path, *words: str) -> Any:
    return called("deepret.reports.cleaning_loop.cleaning_loop", [f"output={folder}", *words], "output=DIR")


def test_one_set_after_the_other_and_nothing_twice(
    tmp_path: Path, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(tmp_path, "sets=[0.4/0,0.2/1]")
    assert programs.ran == [f"{mark}-{kind}" for mark in ("0.4-0", "0.2-1") for kind in KINDS]
    assert found["runs"] == 10
    assert list(found["mAP"].values()) == pytest.approx([0.5, 0.6, 0.65, 0.68, 0.8, 0.75])
    assert list(found["gains"].values()) == pytest.approx([0.05, 0.1, 0.07, -0.05, 0.15])
    assert "| 0.4/0 | 50.00 | 60.00 | 65.00 | 68.00 | 80.00 | 75.00 |" in (tmp_path / "cleaning_loop.md").read_text()
    with Image.open(tmp_path / "cleaning_loop.png") as picture:
        assert picture.width > 800
    capsys.readouterr()
    assert told(tmp_path, "sets=[0.4/0,0.2/1]") == found
    assert len(programs.ran) == 10
    assert "10 of 10 runs are finished already" in capsys.readouterr().out


def test_all_is_told_of_what_is_finished_when_a_run_fails(tmp_path: Path, programs: Programs) -> None:
    programs.fails = "0.4-0-response"
    with pytest.raises(UserError, match=r"^0.4/0 response: the disk is full$"):
        told(tmp_path, "sets=[0.4/0]")
    assert "| 0.4/0 | 50.00 | 60.00 | - | - | - | - |" in (tmp_path / "cleaning_loop.md").read_text()
    programs.fails = ""
    told(tmp_path, "sets=[0.4/0]")
    kinds = ["cleaning", "noisy", "response", "response", "boxes", "longer"]
    assert programs.ran == [f"0.4-0-{kind}" for kind in kinds]
    assert json.loads((tmp_path / "results.json").read_text())["0.4/0 response"]["attempts"] == 2


def test_elsewhere_the_results_alone_go_on_and_what_is_missing_is_cleaned_again(
    tmp_path: Path, programs: Programs
) -> None:
    programs.fails = "0.4-1-boxes"
    with pytest.raises(UserError):
        told(tmp_path / "here", "sets=[0.4/0,0.4/1]")
    (tmp_path / "carried.json").write_bytes((tmp_path / "here" / "results.json").read_bytes())
    programs.fails = ""
    programs.ran.clear()
    told(tmp_path / "there", "sets=[0.4/0,0.4/1]", f"results={tmp_path / 'carried.json'}")
    assert programs.ran == ["0.4-1-cleaning", "0.4-1-boxes", "0.4-1-longer"]


def test_photographs_come_last(tmp_path: Path, programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    told(tmp_path / "out", "sets=[0.4/0]", f"landmarks={tmp_path / 'photos'}")
    assert programs.ran[5:] == [f"photographs-{kind}" for kind in ("cleaning", "noisy", "cleaned")]
    figures = json.loads((tmp_path / "out" / "results.json").read_text())["photographs cleaning"]["figures"]
    assert "precision" not in figures
    assert "mAP on photographs" in capsys.readouterr().out


def test_a_folder_of_photographs_that_is_not_there_is_said_before_any_work(tmp_path: Path, programs: Programs) -> None:
    with pytest.raises(UserError, match=r"landmarks=.*there is no such folder"):
        told(tmp_path, f"landmarks={tmp_path / 'photos'}")
    assert not programs.ran


def test_results_of_other_settings_are_not_gone_on_with(tmp_path: Path, programs: Programs) -> None:
    told(tmp_path, "sets=[0.4/0]")
    with pytest.raises(UserError, match=r"was made with other settings.*name another file"):
        told(tmp_path, "sets=[0.4/0]", "training=[stages.steps=1]")


def test_two_at_once_are_refused(tmp_path: Path, programs: Programs) -> None:
    other = holder(tmp_path)
    with pytest.raises(UserError, match="another program runs this comparison there"):
        told(tmp_path, "sets=[0.4/0]")
    other.communicate()
    told(tmp_path, "sets=[0.4/0]")


TINY = ["data.train_classes=4", "data.val_classes=2", "data.test_classes=2", "data.images_per_class=4"]
TINY += ["data.distractors=1", "data.size=192"]
FAST = ["debug=fast", "logger=disabled", "threads=1"]


@pytest.mark.slow
def test_one_that_is_killed_goes_on_to_the_end(tmp_path: Path, cache: Path) -> None:
    output = tmp_path / "out"
    words = [f"output={output}", "sets=[0.2/0]", f"cache={cache}"]
    words += [f"data=[{','.join(TINY)}]", f"training=[{','.join(FAST)}]"]
    command = [sys.executable, "-m", "deepret", "report", "cleaning_loop", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not list(output.glob("runs/*_noisy-0.2-0/1-ranking")) and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    begun = json.loads((output / "results.json").read_text())
    assert ["figures" in entry for entry in begun.values()] == [True, False]
    second = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    found = json.loads(second.stdout.splitlines()[-1])
    assert len(found["mAP"]) == 6
    assert all(0 < score < 1 for score in found["mAP"].values())
    entries = json.loads((output / "results.json").read_text())
    assert list(entries) == [f"0.2/0 {kind}" for kind in KINDS]
    assert [entry["attempts"] for entry in entries.values()] == [1, 2, 1, 1, 1]
    assert entries["0.2/0 cleaning"] == begun["0.2/0 cleaning"]
    assert entries["0.2/0 cleaning"]["figures"]["iou_last"] > 0.3
    assert len(list(output.glob("runs/*"))) == 4  # the one that was cut off went on
    shutil.copy(output / "results.json", tmp_path / "carried.json")
    elsewhere = str(tmp_path / "elsewhere")
    third = report.cleaning_loop(elsewhere, str(tmp_path / "carried.json"), None, ["0.2/0"], TINY, [], FAST)
    assert third == found
    assert not (tmp_path / "elsewhere" / "runs").exists()
