from __future__ import annotations

from pathlib import Path

import pytest

from deepret.benchmarks.sop import StanfordOnlineProducts as Benchmark
from deepret.data.sets.sop import StanfordOnlineProducts
from deepret.errors import UserError

HEAD = "image_id class_id super_class_id path\n"
TRAIN = f"""{HEAD}1 1 1 bicycle_final/111085122871_0.JPG
2 1 1 bicycle_final/111085122871_1.JPG
3 2 1 bicycle_final/111265328556_0.JPG
4 2 1 bicycle_final/111265328556_1.JPG
5 3 2 cabinet_final/1_0.JPG
6 3 2 cabinet_final/1_1.JPG
7 3 2 cabinet_final/1_2.JPG
"""
TEST = f"""{HEAD}59552 11319 1 bicycle_final/251952414262_0.JPG
59553 11319 1 bicycle_final/251952414262_1.JPG
"""


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    text("Ebay_train.txt", TRAIN)
    text("Ebay_test.txt", TEST)
    for line in (TRAIN + TEST).splitlines():
        if not line.startswith("image_id"):
            write(line.split()[-1])
    return photos


def test_the_halves_and_a_val_of_other_products(root: Path, table, told: list[str]) -> None:
    found = StanfordOnlineProducts(str(root), val_share=0.34, cache=None).load()
    assert table(found) == [
        ("bicycle_final/111085122871_0.JPG", "1", "train"),
        ("bicycle_final/111085122871_1.JPG", "1", "train"),
        ("bicycle_final/111265328556_0.JPG", "2", "train"),
        ("bicycle_final/111265328556_1.JPG", "2", "train"),
        ("cabinet_final/1_0.JPG", "3", "val"),
        ("cabinet_final/1_1.JPG", "3", "val"),
        ("cabinet_final/1_2.JPG", "3", "val"),
        ("bicycle_final/251952414262_0.JPG", "11319", "test"),
        ("bicycle_final/251952414262_1.JPG", "11319", "test"),
    ]
    assert told == [
        f"data=sop: {root} has other counts than are published: 7 of train (59,551 are published), "
        f"2 of test (60,502 are published)"
    ]


def test_the_test_half_is_the_benchmarks(root: Path) -> None:
    found = StanfordOnlineProducts(str(root), val_share=0, cache=None).load()
    of_test = [path for path, split in zip(found.paths, found.splits, strict=True) if split == "test"]
    assert Benchmark(str(root)).labelled() == [(path, "11319") for path in of_test]
    assert "val" not in found.splits


def test_a_half_that_is_missing_says_what_to_fetch(root: Path) -> None:
    (root / "Ebay_train.txt").unlink()
    with pytest.raises(UserError, match=r"data.root=.*: Ebay_train.txt cannot be read \(No such.*zip holds"):
        StanfordOnlineProducts(str(root), cache=None).load()


def test_a_broken_line_is_named(root: Path, text) -> None:
    text("Ebay_train.txt", f"{TRAIN}8 3 cabinet_final/1_3.JPG\n")
    with pytest.raises(UserError, match=r"Ebay_train.txt, line 9: '8 3 cabinet_final/1_3.JPG'; wanted: image_id"):
        StanfordOnlineProducts(str(root), cache=None).load()
