"""The catalogue: columns that stay together, whatever is picked out of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from deepret.data.catalogue import SPLITS, Catalogue
from deepret.data.photo import Photo
from deepret.errors import UserError


def catalogue(root: Path, splits: list[str], labels: list[str] | None = None, prefix: str = "") -> Catalogue:
    n = len(splits)
    return Catalogue(
        root,
        paths=[f"{prefix}{i}.jpg" for i in range(n)],
        labels=labels or ["ab"[i % 2] for i in range(n)],
        splits=splits,
        sizes=[(40 + i, 30) for i in range(n)],
        boxes=[[(0.0, 0.0, 1234.5678 + i, 9.0)] if i % 2 else [] for i in range(n)],
        views=[False] * n,
    )


def test_columns_have_one_length(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one length"):
        Catalogue(tmp_path, ["1.jpg"], ["a"], ["train"], [], [[]], [False])


def test_rows_stay_together(tmp_path: Path) -> None:
    whole = catalogue(tmp_path, list(SPLITS))
    part = whole.select("query", "val")
    assert part == whole.subset([1, 4])
    assert (part.paths, part.splits, part.sizes) == (["1.jpg", "4.jpg"], ["val", "query"], [(41, 30), (44, 30)])
    assert part.photo(1) == Photo(tmp_path / "4.jpg")
    assert len(whole.select("nothing")) == 0


def test_labels_are_numbered_by_name_whatever_the_order(tmp_path: Path) -> None:
    made = catalogue(tmp_path, ["train"] * 5, ["c", "", "a", "b", "c"])
    assert made.label_ids().tolist() == [2, -1, 0, 1, 2]
    assert made.label_ids().dtype == torch.int64
    assert made.subset([4, 3, 2, 1, 0]).label_ids().tolist() == [2, 1, 0, -1, 2]


def test_another_folder_joins_by_absolute_paths(tmp_path: Path) -> None:
    one, two = catalogue(tmp_path / "a", ["train"] * 2), catalogue(tmp_path / "b", ["val"], prefix="sub/")
    both = one.joined(two)
    assert [both.photo(i).path for i in range(3)] == [
        tmp_path / "a/0.jpg",
        tmp_path / "a/1.jpg",
        tmp_path / "b/sub/0.jpg",
    ]
    assert both.splits == ["train", "train", "val"]
    assert one.joined(one).paths == one.paths * 2


def test_the_fingerprint_sees_every_change(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.jpg").write_bytes(b"12")
    made = catalogue(tmp_path, ["train"] * 3)
    before = made.fingerprint()
    assert catalogue(tmp_path, ["train"] * 3).fingerprint() == before
    assert catalogue(tmp_path, ["train", "train", "val"]).fingerprint() != before
    assert catalogue(tmp_path, ["train"] * 3, ["a", "a", "a"]).fingerprint() != before
    assert made.subset([1, 0, 2]).fingerprint() != before
    os.utime(tmp_path / "1.jpg", ns=(5, 5))
    touched = made.fingerprint()
    assert touched != before
    (tmp_path / "1.jpg").write_bytes(b"123")
    os.utime(tmp_path / "1.jpg", ns=(5, 5))
    assert made.fingerprint() != touched
    (tmp_path / "1.jpg").unlink()
    assert made.fingerprint() not in (before, touched)


def test_a_csv_is_written_whole_and_without_views(tmp_path: Path) -> None:
    made = catalogue(tmp_path, ["train", "test", "query"], ["a", "b, c", ""])
    path = tmp_path / "out.csv"
    made.write_csv(path)
    assert path.read_text(encoding="utf-8") == (
        'path,label,split,x0,y0,x1,y1\n0.jpg,a,train,,,,\n1.jpg,"b, c",test,0,0,1235.5678,9\n2.jpg,,query,,,,\n'
    )
    views = Catalogue(tmp_path / "v", ["v.jpg"], ["view:v.jpg"], ["train"], [(9, 9)], [[]], [True])
    assert made.joined(views).csv() == made.csv()
    assert made.subset([0]).csv() == "path,label,split\n0.jpg,a,train\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_distractor_has_no_own_box(tmp_path: Path) -> None:
    made = catalogue(tmp_path, ["train", "distractor", "test", "distractor"], ["a", "", "b", ""])
    assert made.csv() == "path,label,split\n0.jpg,a,train\n1.jpg,,distractor\n2.jpg,b,test\n3.jpg,,distractor\n"


@pytest.mark.parametrize(
    ("splits", "split", "parts"),
    [
        (["train", "train"], "test", ["for test", "train (2)", "split=test", "split=query and split=gallery"]),
        (["train", "test"], "val", ["for val", "train (1), test (1)", "split=val"]),
        (["query", "train"], "test", ["for test", "query (1)"]),
        ([], "train", ["for train", "none at all"]),
    ],
)
def test_a_split_that_is_needed_and_not_there(tmp_path: Path, splits: list[str], split: str, parts: list[str]) -> None:
    made = catalogue(tmp_path, splits)
    with pytest.raises(UserError, match=f"data.{split}_share"):
        made.require(split)
    (tmp_path / "images.csv").touch()
    with pytest.raises(UserError) as caught:
        made.require(split)
    assert all(part in str(caught.value) for part in [*parts, str(tmp_path), "images.csv"]), caught.value


def test_a_split_that_is_there(tmp_path: Path) -> None:
    catalogue(tmp_path, ["query", "gallery"]).require("test")
    catalogue(tmp_path, ["train", "test"]).require("test")
