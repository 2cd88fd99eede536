"""The catalogue: columns that stay together, whatever is picked out of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deepret.data.catalogue import SPLITS, Catalogue
from deepret.data.photo import Photo


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
    part = whole.subset([1, 4])
    assert (part.paths, part.splits, part.sizes) == (["1.jpg", "4.jpg"], ["val", "query"], [(41, 30), (44, 30)])
    assert part.photo(1) == Photo(tmp_path / "4.jpg")
    assert len(whole.subset([])) == 0


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


def test_pairs_go_with_their_rows(tmp_path: Path) -> None:
    made = replace(catalogue(tmp_path, ["train"] * 4), pairs=[(0, 2), (3, 1), (2, 0)])
    assert made.subset([2, 3, 0]).pairs == [(2, 0), (0, 2)]
    assert made.subset([0, 1]).pairs == []
    assert catalogue(tmp_path, ["val"] * 3).joined(made).pairs == [(3, 5), (6, 4), (5, 3)]
    assert made.joined(catalogue(tmp_path, ["val"])).pairs == made.pairs
    assert made.csv() == catalogue(tmp_path, ["train"] * 4).csv()


def test_a_digest_knows_the_pairs(tmp_path: Path) -> None:
    made = catalogue(tmp_path, ["train"] * 3)
    paired, others = replace(made, pairs=[(0, 1)]), replace(made, pairs=[(1, 0)])
    assert len({made.digest(), paired.digest(), others.digest()}) == 3
    assert paired.digest() == replace(made, pairs=[(0, 1)]).digest()
