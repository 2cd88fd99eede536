from __future__ import annotations

from pathlib import Path

import pytest

from deepret.benchmarks.cub200 import CUB200 as Benchmark
from deepret.data.sets.cub200 import CUB200
from deepret.errors import UserError

IMAGES = """1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg
2 001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg
3 100.Brown_Pelican/Brown_Pelican_0122_94022.jpg
4 100.Brown_Pelican/Brown_Pelican_0052_94423.jpg
5 050.Eared_Grebe/Eared_Grebe_0012_34122.jpg
6 050.Eared_Grebe/Eared_Grebe_0034_34322.jpg
7 101.White_Pelican/White_Pelican_0013_97350.jpg
8 101.White_Pelican/White_Pelican_0072_96422.jpg
"""
LABELS = "1 1\n2 1\n3 100\n4 100\n5 50\n6 50\n7 101\n8 101\n"


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    text("images.txt", IMAGES)
    text("image_class_labels.txt", LABELS)
    for line in IMAGES.splitlines():
        write(f"images/{line.split()[1]}")
    return photos


def test_the_first_hundred_species_are_learned(root: Path, table, told: list[str]) -> None:
    found = CUB200(str(root), val_share=0.34, cache=None).load()
    assert table(found) == [
        ("images/001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg", "1", "train"),
        ("images/001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg", "1", "train"),
        ("images/100.Brown_Pelican/Brown_Pelican_0122_94022.jpg", "100", "train"),
        ("images/100.Brown_Pelican/Brown_Pelican_0052_94423.jpg", "100", "train"),
        ("images/050.Eared_Grebe/Eared_Grebe_0012_34122.jpg", "50", "val"),
        ("images/050.Eared_Grebe/Eared_Grebe_0034_34322.jpg", "50", "val"),
        ("images/101.White_Pelican/White_Pelican_0013_97350.jpg", "101", "test"),
        ("images/101.White_Pelican/White_Pelican_0072_96422.jpg", "101", "test"),
    ]
    assert ["6 of train (5,864 are published), 2 of test (5,924 are published)" in line for line in told] == [True]


def test_the_test_half_is_the_benchmarks(root: Path) -> None:
    found = CUB200(str(root), cache=None).load()
    of_test = [path for path, split in zip(found.paths, found.splits, strict=True) if split == "test"]
    assert [f"images/{path}" for path, _ in Benchmark(str(root)).labelled()] == of_test


def test_what_is_missing_or_broken_is_named(root: Path, text) -> None:
    text("image_class_labels.txt", LABELS.replace("3 100", "3 pelican"))
    with pytest.raises(UserError, match=r"image_class_labels.txt: a class is no number"):
        CUB200(str(root), cache=None).load()
    (root / "images.txt").unlink()
    with pytest.raises(UserError, match=r"images.txt cannot be read .*https://www.vision.*ROOT is the folder CUB_200"):
        CUB200(str(root), cache=None).load()
