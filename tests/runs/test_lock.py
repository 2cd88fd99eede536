from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import IO

import pytest
from started import holder

from deepret.errors import UserError
from deepret.runs.checkpoint import write_bytes
from deepret.runs.lock import LOCK, hold, let_go, writing
from deepret.runs.run import Run


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: nothing can be written there: No such file or directory"):
        hold(tmp_path / "none")


def test_one_program_at_a_time(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with pytest.raises(UserError, match=rf"{tmp_path} is still training \(process {process.pid} on "):
        hold(tmp_path)
    process.kill()
    process.communicate()
    hold(tmp_path)
    hold(tmp_path)  # this process may ask again
    let_go(tmp_path)
    let_go(tmp_path)
    process = holder(tmp_path)  # free for another one
    process.communicate()


def test_a_lock_whose_file_is_taken_away_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def gone_after_opening(path: Path, *words: str) -> IO[str]:
        monkeypatch.undo()
        file = opened(path, *words)
        path.unlink()
        other.append(holder(tmp_path))
        return file

    other: list[subprocess.Popen[str]] = []
    monkeypatch.setattr(Path, "open", gone_after_opening)
    with pytest.raises(UserError, match="is still training"):
        hold(tmp_path)
    other[0].communicate()


def test_who_writes_is_alone_and_takes_its_lock_away_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, there = tmp_path / "a" / "b", []
    monkeypatch.setattr(
        "deepret.runs.lock.let_go", lambda folder: (there.append((folder / LOCK).exists()), let_go(folder))
    )
    with writing(out):
        (out / "kept.txt").touch()
        there.clear()
    assert there == [False]
    assert [path.name for path in out.iterdir()] == ["kept.txt"]
    process = holder(out)
    with pytest.raises(UserError, match=rf"out={out}: another program writes there"), writing(out):
        pytest.fail("it is held")
    assert (out / LOCK).exists()
    process.communicate()


def test_folders_that_stay_empty_are_taken_away(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for out in (tmp_path / "own", tmp_path / "a" / "b"):
        with pytest.raises(KeyError), writing(out):
            raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["own"]


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"out=.*x: .*Not a directory; name a folder"), writing(tmp_path / "file" / "x"):
        pytest.fail("it is in a file")

    def full(*words: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(UserError, match="the disk is full; make room there"), writing(tmp_path / "x"):
        pytest.fail("the disk is full")


def test_the_last_run_is_one_that_nobody_trains_in(tmp_path: Path) -> None:
    config = {"output": str(tmp_path), "name": "x"}
    older, newer = Run.start(config, "mark"), Run.start(config, "mark")
    assert Run.last(str(tmp_path), "mark").folder == newer.folder
    newer.let_go()
    process = holder(newer.folder)
    assert Run.last(str(tmp_path), "mark").folder == older.folder
    older.state["status"] = "finished"
    older.save()
    with pytest.raises(UserError, match=rf"{newer.folder.name} is still training"):
        Run.last(str(tmp_path), "mark")
    process.communicate()
    for run in (older, newer):
        run.let_go()


def test_what_another_program_has_finished_is_not_gone_on_with(tmp_path: Path) -> None:
    run = Run.start({"output": str(tmp_path), "name": "x"}, "mark")
    before = Run.open(run.folder)
    run.state["status"] = "finished"
    run.save()
    run.let_go()
    before.hold()
    assert before.state["status"] == "finished"
    before.let_go()


def test_a_run_that_cannot_be_read_is_in_nobodys_way(tmp_path: Path) -> None:
    config = {"output": str(tmp_path), "name": "x"}
    whole, broken, empty = (Run.start(config, "mark") for _ in range(3))
    (broken.folder / "config.yaml").write_text("a: [")
    (empty.folder / "run.json").write_text("[]")
    with pytest.warns(UserWarning, match=r"left as it is: .*config.yaml there cannot be read"):
        assert [run.folder for run in Run.of(str(tmp_path), "mark")] == [whole.folder]
    for run in (broken, empty):
        with pytest.raises(UserError, match=r"run.json or config.yaml there cannot be read"):
            Run.open(run.folder)
    for run in (whole, broken, empty):
        run.let_go()


def test_a_full_disk_says_to_go_on_once_something_is_learned(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").mkdir()  # what cannot be replaced
    with pytest.raises(UserError, match="make room there"):
        write_bytes(tmp_path / "metrics.csv", b"")
    (tmp_path / "1-ranking").mkdir()
    (tmp_path / "1-ranking" / "state.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match=f"the last good state is kept: .* go on with resume={tmp_path}"):
        write_bytes(tmp_path / "metrics.csv", b"")
