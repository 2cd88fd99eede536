from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.reports.command import called
from deepret.reports.contact_sheet import drawn


def sheet(*words: str) -> Any:
    return called("deepret.reports.contact_sheet.contact_sheet", list(words), "out=sheet.png")


def folder(root: Path, labels: int) -> Path:
    for label in range(labels):
        (root / f"thing{label}").mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (40, 30), (50 * label, 60 * i, 90)).save(root / f"thing{label}" / f"{i}.png")
    return root


def catalogue(labels: list[str], splits: list[str]) -> Catalogue:
    n = len(labels)
    return Catalogue(Path(), [f"{i}.jpg" for i in range(n)], labels, splits, [(9, 9)] * n, [[]] * n, [False] * n)


def test_each_line_shows_one_class_of_the_split() -> None:
    labels = [*"aaaabbbbcccc", ""]
    found = drawn(catalogue(labels, ["test"] * 8 + ["train"] * 4 + ["distractor"]), "test", rows=5, columns=3, seed=1)
    assert sorted({labels[i] for i in line} == {labels[line[0]]} for line in found) == [True, True]
    assert all(len(set(line)) == 3 for line in found)
    assert {labels[line[0]] for line in found} == {"a", "b"}


def test_photographs_without_labels_fill_the_lines() -> None:
    found = drawn(catalogue([""] * 7, ["distractor"] * 7), "distractor", rows=2, columns=3, seed=0)
    assert [len(line) for line in found] == [3, 3]
    assert len({i for line in found for i in line}) == 6


def test_writes_the_picture(tmp_path: Path) -> None:
    root = folder(tmp_path / "things", 6)
    said = sheet(
        f"out={tmp_path / 'sheet.png'}", "data=catalogue", f"root={root}", "split=train", "columns=3", "side=50"
    )
    assert said["images"] == 3 * said["rows"]
    with Image.open(said["picture"]) as picture:
        assert picture.size == (8 + 3 * 58, 8 + said["rows"] * 58)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out=x.png", "data=nothing"], "nothing"),
        (["out=x.png", "data=catalogue", "root=/nowhere"], "/nowhere"),
        (["data=scenes"], "out is missing"),
        (["sheet.png"], "write key=value"),
    ],
)
def test_says_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sheet(*words)


def test_wants_photographs_of_the_split(tmp_path: Path) -> None:
    root = folder(tmp_path / "things", 6)
    with pytest.raises(UserError, match="split=query"):
        sheet("out=x.png", "data=catalogue", f"root={root}", "split=query")
