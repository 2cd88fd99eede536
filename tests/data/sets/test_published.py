from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from deepret.config import conf_dir
from deepret.data.download.mirrors import MIRRORS, read_mirrors
from deepret.data.listing import Row
from deepret.data.sets import published
from deepret.data.sets.published import PublishedSet, fitting, held_out
from deepret.errors import UserError
from deepret.parts import build


def all_sets() -> list[tuple[str, dict[str, Any]]]:
    """The published sets among the options of data, with their settings."""
    found = [(path.stem, yaml.safe_load(path.read_text())) for path in sorted((conf_dir() / "data").glob("*.yaml"))]
    return [(name, node) for name, node in found if ".sets." in node.get("_target_", "")]


class Few(PublishedSet):
    """Rows given by hand."""

    name: ClassVar[str] = "few"
    fetch: ClassVar[str] = "Fetch it."

    def __init__(self, root: Path, rows: Sequence[Row], counts: Mapping[str, int], strict: bool = False) -> None:
        super().__init__(str(root), strict, None)
        self.given, self.counts = rows, counts

    def rows(self) -> Sequence[Row]:
        return self.given

    def published(self) -> Mapping[str, int]:
        return self.counts


def rows(*names: str, split: str = "train") -> list[Row]:
    return [Row(name, name[0], split) for name in names]


def test_counts_that_differ_are_told_once(write, photos: Path, told: list[str]) -> None:
    for name in ("a1.png", "a2.png", "b1.png", "b2.png"):
        write(name)
    listed = rows("a1.png", "a2.png") + rows("b1.png", "b2.png", split="val")
    Few(photos, listed, {"train": 4, "classes": 2}).load()  # what is held out counts as train
    Few(photos, listed, {"train": 2, "val": 2}).load()
    assert told == []
    Few(photos, listed, {"train": 2, "val": 1000, "classes": 3}).load()
    assert told == [
        f"data=few: {photos} has other counts than are published: 2 of val (1,000 are published), "
        f"2 of classes (3 are published)"
    ]


def test_missing_and_repeated_photographs_are_counted(write, photos: Path, told: list[str]) -> None:
    for name in ("a1.png", "a2.png"):
        write(name)
    listed = rows("a1.png", "gone.png", "a2.png", "a1.png")
    assert Few(photos, listed, {}).load().paths == ["a1.png", "a2.png"]
    assert told == [
        f"{photos}: 1 of 4 photographs are not there: gone.png",
        f"{photos}: 1 photographs are listed again and count once: a1.png",
    ]


def test_nothing_there_says_what_to_fetch(photos: Path) -> None:
    with pytest.raises(UserError, match=r"none of 1 photographs is there, such as gone.png. Fetch it.$"):
        Few(photos, rows("gone.png"), {}).load()
    with pytest.raises(UserError, match=r"none of 0 photographs is there. Fetch it.$"):
        Few(photos, [], {}).load()
    with pytest.raises(UserError, match=r"there is no such folder; did you mean .*photos\?"):
        Few(photos.parent / "photo", [], {}).load()


def test_broken_photographs_stop_a_strict_run(write, photos: Path, told: list[str]) -> None:
    for name in ("a1.png", "a2.png"):
        write(name)
    (photos / "a3.png").write_bytes(b"no")
    listed = rows("a1.png", "a2.png", "a3.png")
    assert len(Few(photos, listed, {}).load()) == 2
    assert len(told) == 1
    with pytest.raises(UserError, match=r"1 of 3 files cannot be used: a3.png"):
        Few(photos, listed, {}, strict=True).load()


def test_boxes_stay_with_their_photographs(write, photos: Path, told: list[str]) -> None:
    write("a1.png", 40, 30)
    write("a3.png", 50, 20)
    (photos / "a2.png").write_bytes(b"no")
    boxes = {"a1.png": (0.0, 0.0, 41.0, 30.0), "a2.png": (1.0, 1.0, 2.0, 2.0), "a3.png": (0.0, -0.5, 50.0, 19.0)}
    found = Few(photos, [Row(name, "a", "train", [box]) for name, box in boxes.items()], {}).load()
    assert found.boxes == [[(0, 0, 40, 30)], [(0, 0, 50, 19)]]
    assert len(told) == 1  # of the broken file alone


def test_boxes_of_another_size_are_counted(told: list[str]) -> None:
    boxes = [[(0.0, 0.0, 42.0, 3.0), (1.0, 1.0, 2.0, 2.0)], [(-2.0, 0.0, 3.0, 3.0), (40.0, 0.0, 41.0, 3.0)]]
    assert fitting(boxes, [(40, 30)] * 2, Path("x")) == [[(1, 1, 2, 2)], []]
    assert told == ["x: 3 boxes leave their photographs, which have another size, and are left out"]


def test_classes_are_held_out_of_train_alone() -> None:
    listed = rows(*[f"{c}{i}" for c in "abcdefghij" for i in range(2)]) + rows("z1", "z2", split="test")
    found = held_out(listed, 0.3, 0)
    splits = {row.label: row.split for row in found}
    assert sorted(splits.values()) == ["test"] + ["train"] * 7 + ["val"] * 3
    assert all(splits[row.label] == row.split for row in found)
    assert [row.path for row in found] == [row.path for row in listed]
    assert held_out(listed, 0.0, 0) == listed
    assert held_out(listed, 0.3, 1) != found


SETS = [(option, node) for option, node in all_sets() if "download" in node]


@pytest.mark.parametrize(("option", "node"), SETS, ids=[option for option, _ in SETS])
def test_what_can_be_fetched_is_fetched_before_anything_is_read(
    option: str, node: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []
    monkeypatch.setattr(published, "fetch_set", lambda name, root: fetched.append((name, root)))
    given = {**node, "root": str(tmp_path / "new"), "cache": None}
    for download in (False, True):
        with pytest.raises(UserError, match="there is no such folder"):
            build({**given, "download": download}).load()
    [(name, root)] = fetched
    assert root == tmp_path / "new"
    assert name in read_mirrors(MIRRORS)
    assert name.startswith(option)
