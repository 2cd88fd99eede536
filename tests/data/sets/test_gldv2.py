from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from deepret.data.sets.gldv2 import GLDv2
from deepret.errors import UserError

IDS = ["6e158a47eb2ca3f6", "202cd79556f30760", "3ad87684c99c06e1", "e7f70e9c61e66af3", "4072182eddd0100e", "abc0"]
FULL = "id,url,landmark_id\n" + "".join(
    f'{name},"https://upload.wikimedia.org/a,{i}.jpg",{[142820, 142820, 104169, 104169, 37914, 37914][i]}\n'
    for i, name in enumerate(IDS)
)
CLEAN = f"landmark_id,images\n142820,{IDS[0]} {IDS[1]}\n104169,{IDS[3]} {IDS[2]}\n"


def place(name: str) -> str:
    return f"train/{name[0]}/{name[1]}/{name[2]}/{name}.jpg"


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    text("train.csv", FULL)
    text("train_clean.csv", CLEAN)
    for name in IDS:
        write(place(name))
    return photos


def test_the_clean_list(root: Path, table, told: list[str]) -> None:
    found = GLDv2(str(root), val_share=0, cache=None).load()
    assert table(found) == [
        ("train/6/e/1/6e158a47eb2ca3f6.jpg", "142820", "train"),
        ("train/2/0/2/202cd79556f30760.jpg", "142820", "train"),
        ("train/e/7/f/e7f70e9c61e66af3.jpg", "104169", "train"),
        ("train/3/a/d/3ad87684c99c06e1.jpg", "104169", "train"),
    ]
    assert ["4 of train (1,580,470 are published)" in line for line in told] == [True]


def test_the_full_list_with_landmarks_held_out(root: Path, table) -> None:
    found = table(GLDv2(str(root), "full", val_share=0.3, cache=None).load())
    assert [(path, label) for path, label, _ in found] == [
        (place(name), label) for name, label in zip(IDS, ["142820"] * 2 + ["104169"] * 2 + ["37914"] * 2, strict=True)
    ]
    splits = {label: split for _, label, split in found}
    assert sorted(splits.values()) == ["train", "train", "val"]


def test_photographs_that_are_missing_are_counted(root: Path, table, told: list[str]) -> None:
    (root / place(IDS[1])).unlink()
    found = GLDv2(str(root), "full", val_share=0, cache=None).load()
    assert {label for _, label, _ in table(found)} == {"104169", "37914"}  # one of the other is not enough
    assert told[1] == f"{root}: 1 of 6 photographs are not there: {place(IDS[1])}"
    assert told[2] == f"{root}: 1 classes of one image are left out, as nothing compares with it: '142820'"
    for name in IDS:
        (root / place(name)).unlink(missing_ok=True)
    with pytest.raises(
        UserError, match=r"none of 6 photographs is there, such as train/6/e/1/6e158a47eb2ca3f6.jpg. Fr"
    ):
        GLDv2(str(root), "full", cache=None).load()


def test_tar_files_will_do(root: Path, table) -> None:
    with tarfile.open(root / "train" / "images_000.tar", "w") as tar:
        for name in IDS[:4]:
            tar.add(root / place(name), place(name).removeprefix("train/"))
            (root / place(name)).unlink()
    found = GLDv2(str(root), val_share=0, cache=None).load()
    assert table(found)[0] == ("train/images_000.tar/6/e/1/6e158a47eb2ca3f6.jpg", "142820", "train")
    assert len(found) == 4


@pytest.mark.parametrize(
    ("name", "content", "told_"),
    [
        (
            "train_clean.csv",
            "landmark_id,images\n1,\n",
            r"train_clean.csv, line 2: landmark '1', photograph ''; wanted",
        ),
        ("train_clean.csv", "landmark_id,image\n1,abcd\n", r"train_clean.csv: it has no column images"),
        ("train_clean.csv", "landmark_id,images\n1,../../x\n", r"line 2: landmark '1', photograph '../../x'; wanted"),
        ("train.csv", "id,url,landmark_id\nabcd,http://x,\n", r"train.csv, line 2: landmark '', photograph 'abcd'"),
    ],
)
def test_a_broken_line_is_named(root: Path, text, name: str, content: str, told_: str) -> None:
    text(name, content)
    with pytest.raises(UserError, match=told_):
        GLDv2(str(root), "full" if name == "train.csv" else "clean", cache=None).load()


def test_a_list_that_is_missing_says_what_to_fetch(root: Path) -> None:
    (root / "train_clean.csv").unlink()
    with pytest.raises(UserError, match=r"data.root=.*train_clean.csv cannot be read \(No such .*cvdfoundation.*ROOT"):
        GLDv2(str(root), cache=None).load()
