"""What is in a folder, through symbolic links too."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from deepret.data.folder import Broken, LeftOut, collected, images_below, label_of, leave_out
from deepret.data.listing import Row


def test_linked_folders_are_entered_each_once(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for path in ("root/own/1.png", "root/own/.hidden/2.png", "elsewhere/deep/3.png", "elsewhere/4.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (root / "a link").symlink_to(elsewhere)
    (root / "another").symlink_to(elsewhere)
    (root / "an own one").symlink_to(root / "own")  # before it by name
    (root / ".hidden").symlink_to(elsewhere)
    (root / "gone").symlink_to(tmp_path / "gone")
    (root / "photograph.png").symlink_to(elsewhere / "4.jpg")
    (elsewhere / "up").symlink_to(root)
    (elsewhere / "deep" / "itself").symlink_to(elsewhere / "deep")
    found = images_below(root)
    wanted = ["a link/4.jpg", "a link/deep/3.png", "own/1.png", "photograph.png"]
    assert [path.relative_to(root).as_posix() for path in found] == wanted
    assert [label_of(root, path) for path in found] == ["a link", "a link", "own", ""]
    (tmp_path / "root too").symlink_to(root)
    assert len(images_below(tmp_path / "root too")) == 4


def test_labels_are_text_without_spaces_around_it(tmp_path: Path) -> None:
    names = {" a ": "a", "b c": "b c", os.fsdecode(b"caf\xe9"): r"caf\udce9", os.fsdecode(b"caf\xe8"): r"caf\udce8"}
    assert {name: label_of(tmp_path, tmp_path / name / "1.png") for name in names} == names


BROKEN = Broken("broken", [(Row("a/1.png", "a", "train"), "the file is empty")])
OTHER = LeftOut("others", [(Row("a/2.png", "a", "train"), "the only photograph of its class")])


@pytest.mark.parametrize("rank", ["0", "1"])
def test_what_is_left_out_is_collected_whether_or_not_it_is_shown(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", rank)
    with warnings.catch_warnings(record=True) as shown, collected() as found, collected(Broken) as broken:
        warnings.simplefilter("once")
        for _ in range(2):  # the second time it is not shown
            leave_out(BROKEN)
        leave_out(OTHER)
    assert broken == [*BROKEN.rows, *BROKEN.rows]
    assert found == [*broken, *OTHER.rows]
    assert [str(one.message) for one in shown] == (["broken", "others"] if rank == "0" else [])
    with pytest.warns(LeftOut) if rank == "0" else warnings.catch_warnings():
        leave_out(OTHER)
    assert len(found) == 3  # nobody collects any more
