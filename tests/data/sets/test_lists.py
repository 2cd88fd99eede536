from __future__ import annotations

from pathlib import Path

import pytest

from deepret.data.sets.lists import Lists, read_csv
from deepret.errors import UserError


@pytest.fixture
def lists(photos: Path) -> Lists:
    return Lists(photos, "data.root", "Fetch it.")


def test_lines_are_numbered_words(lists: Lists, text) -> None:
    text("a.txt", "one two\n\n  three \n")
    assert lists.lines("a.txt") == [(1, ["one", "two"]), (3, ["three"])]
    assert str(lists.wrong("a.txt", 3, ["three"], "two words")) == (
        f"{lists.root}/a.txt, line 3: 'three'; wanted: two words."
    )


def test_what_cannot_be_read_is_told_with_its_remedy(lists: Lists) -> None:
    (lists.root / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"a.txt cannot be read \('utf-8' codec .*\). Fetch it."):
        lists.lines("a.txt")
    for read in (lists.lines, lambda name: list(lists.csv(name, ("a",)))):
        with pytest.raises(UserError, match=rf"data.root={lists.root}: b.txt cannot be read \(No such .*\). Fetch it."):
            read("b.txt")


def test_a_csv_has_the_wanted_columns(lists: Lists, text) -> None:
    path = text("a.csv", 'id,url,label\n1,"a,b",x\n2,c\n')
    assert list(lists.csv("a.csv", ("label", "id"))) == [
        (f"{path}, line 2", ["x", "1"]),
        (f"{path}, line 3", ["", "2"]),
    ]
    with pytest.raises(UserError, match=r"a.csv: it has no column landmark, images"):
        list(lists.csv("a.csv", ("id", "landmark", "images")))
    path.write_bytes(b"id\n\xff\n")
    with pytest.raises(UserError, match=r"a.csv: cannot be read \(.*\). Fetch it."):
        list(read_csv(path, ("id",), "Fetch it."))
