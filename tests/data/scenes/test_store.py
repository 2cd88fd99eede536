"""The cache: complete or not there at all."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from deepret.data.scenes.store import complete, folder_of, keep
from deepret.errors import UserError


def make(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"picture")
    (folder / "images.csv").write_text("path,label,split\n")
    (folder / "scenes.json").write_text(json.dumps({"images": [{"path": "a.jpg"}], "references": {}}))


def test_made_once(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        keep(tmp_path / "set", lambda part: (made.append(part), make(part)))  # type: ignore[func-returns-value]
    assert len(made) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [".set.lock", "set"]


@pytest.mark.parametrize("damage", ["scenes.json", "images.csv", "a.jpg", "empty", "broken"])
def test_half_written_is_redone(tmp_path: Path, damage: str) -> None:
    folder = keep(tmp_path / "set", make)
    if damage == "empty":
        (folder / "a.jpg").write_bytes(b"")
    elif damage == "broken":
        (folder / "scenes.json").write_text('{"images": [')
    else:
        (folder / damage).unlink()
    assert not complete(folder)
    assert complete(keep(folder, make))


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(part: Path) -> None:
        make(part)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path / "set", fail)
    assert [p.name for p in tmp_path.iterdir()] == [".set.lock"]


def test_leftovers_of_a_killed_run_are_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".set.part-dead"
    left.mkdir()
    keep(tmp_path / "set", make)
    assert not left.exists()


def test_of_several_one_makes_and_the_others_wait(tmp_path: Path) -> None:
    made = []
    barrier = threading.Barrier(4)

    def slow(part: Path) -> None:
        made.append(part)
        make(part)

    def want() -> None:
        barrier.wait()
        keep(tmp_path / "set", slow)

    threads = [threading.Thread(target=want) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(made) == 1
    assert complete(tmp_path / "set")


def test_folder_depends_on_every_parameter(tmp_path: Path) -> None:
    assert folder_of({"a": 1}, tmp_path) == folder_of({"a": 1}, tmp_path)
    assert folder_of({"a": 1}, tmp_path) != folder_of({"a": 2}, tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file.*data\.cache=DIR"):
        keep(tmp_path / "file" / "set", make)


def test_a_full_disk(tmp_path: Path) -> None:
    def full(part: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left on device"):
        keep(tmp_path / "set", full)
    assert not (tmp_path / "set").exists()
