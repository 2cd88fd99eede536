"""Copies: what is there already is compared by its bytes, and every disk can have the names."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deepret.cleaning.copies import Names, copied
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError


def catalogue(root: Path, paths: list[str], labels: list[str]) -> Catalogue:
    n = len(paths)
    return Catalogue(root, paths, labels, ["train"] * n, [(1, 1)] * n, [[] for _ in range(n)], [False] * n)


def test_a_copy_of_the_same_size_is_made_again_where_it_holds_something_else(tmp_path: Path) -> None:
    for name, content in (("a.jpg", b"first"), ("b.jpg", b"other")):
        (tmp_path / name).write_bytes(content)
    out = tmp_path / "out" / "photographs" / "tower"
    out.mkdir(parents=True)
    (out / "a.jpg").write_bytes(b"stale")
    (out / "b.jpg").write_bytes(b"other")
    before = (out / "b.jpg").stat()
    found = copied(catalogue(tmp_path / "out", ["../a.jpg", "../b.jpg"], ["tower", "tower"]))
    assert found.paths == ["photographs/tower/a.jpg", "photographs/tower/b.jpg"]
    assert (out / "a.jpg").read_bytes() == b"first"
    assert (out / "b.jpg").stat().st_ino == before.st_ino


def test_a_photograph_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.jpg: cannot be copied \(No such file or directory\)"):
        copied(catalogue(tmp_path, ["gone.jpg"], ["tower"]))


@pytest.mark.parametrize(
    ("label", "file", "name"),
    [
        ("tower", "1.jpg", "tower/1.jpg"),
        ("a/b\\c", "a:b?.jpg", "a_b_c/a_b_.jpg"),
        ("..", "...", "_/_"),
        ("", "x", "_/x"),
        (" end. ", "a\rb\n.png", "_end_/a_b_.png"),
        ("CON", "nul.jpg", "_CON/_nul.jpg"),
        ("console", "com10.jpg", "console/com10.jpg"),
        ("tower", "caf\udce9.png", "tower/caf_.png"),
        ("tower", "no ending.of the kind that is known", "tower/no ending.of the kind that is known"),
    ],
)
def test_what_some_disk_refuses_is_replaced(label: str, file: str, name: str) -> None:
    assert Names().of(label, file) == name


@pytest.mark.parametrize("letter", ["n", "é", "字"])
def test_long_names_leave_room_for_that_of_a_part(tmp_path: Path, letter: str) -> None:
    paths = []
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        paths.append(f"{folder}/{letter * (250 // len(letter.encode()))}.jpg")
        (tmp_path / paths[-1]).write_bytes(folder.encode())
    found = copied(catalogue(tmp_path, paths, [letter * 300] * 2)).paths
    assert [(tmp_path / path).read_bytes() for path in found] == [b"1", b"2"]
    assert all(path.endswith(".jpg") for path in found)
    assert max(len(os.fsencode(part)) for path in found for part in path.split("/")) <= 200


def test_no_two_have_one_name_on_any_disk() -> None:
    names = Names()
    given = [names.of("a", name) for name in ("x.jpg", "x-2.jpg", "X.jpg", "x.jpg", "x.JPG", "é.jpg", "e\u0301.jpg")]
    assert given == ["a/x.jpg", "a/x-2.jpg", "a/X-3.jpg", "a/x-4.jpg", "a/x-5.JPG", "a/é.jpg", "a/e\u0301-2.jpg"]


def test_many_of_one_name_take_no_longer_each() -> None:
    names, start = Names(), time.perf_counter()
    assert len({names.of("distractor", "image.jpg") for _ in range(20_000)}) == 20_000
    assert time.perf_counter() - start < 5
