from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepret.data.sets.sfm120k import SfM120k, path_of
from deepret.errors import UserError

TRAIN = ["0aab12cd34ef", "1aab12cd34ef", "2ffffffff001", "3ffffffff001", "4ffffffff001", "5ffffffff001"]
VAL = ["6ffffffff001", "7ffffffff001"]
DB: dict[str, dict[str, Any]] = {
    "train": {
        "cids": TRAIN,
        "cluster": [4, 4, 7, 7, 7, 9],
        "qidxs": [0, 2, 2, 2],
        "pidxs": [1, 3, 4, 3],
        "bbxs": [None] * 6,
        "gps": [[]] * 6,
    },
    "val": {"cids": VAL, "cluster": [4, 4], "qidxs": [1], "pidxs": [0], "bbxs": [None] * 2},
}


def put(root: Path, db: Any, name: str = "retrieval-SfM-120k.pkl") -> None:
    (root / name).write_bytes(pickle.dumps(db, protocol=2))


@pytest.fixture
def root(write, photos: Path) -> Path:
    put(photos, DB)
    for cid in [*TRAIN, *VAL]:
        path = write(f"ims/{cid[-2:]}/{cid[-4:-2]}/{cid[-6:-4]}/{cid}.jpg")
        path.rename(path.with_suffix(""))  # published without an ending
    return photos


def test_reconstructions_are_classes_and_pairs_are_kept(root: Path, table, told: list[str]) -> None:
    found = SfM120k(str(root), cache=None).load()
    assert table(found) == [
        ("ims/ef/34/cd/0aab12cd34ef", "train 4", "train"),
        ("ims/ef/34/cd/1aab12cd34ef", "train 4", "train"),
        ("ims/01/f0/ff/2ffffffff001", "train 7", "train"),
        ("ims/01/f0/ff/3ffffffff001", "train 7", "train"),
        ("ims/01/f0/ff/4ffffffff001", "train 7", "train"),
        ("ims/01/f0/ff/6ffffffff001", "val 4", "val"),
        ("ims/01/f0/ff/7ffffffff001", "val 4", "val"),
    ]
    assert found.pairs == [(0, 1), (2, 3), (2, 4), (6, 5)]
    assert told[0].endswith("6 of train (91,642 are published), 2 of val (6,403 are published)")
    assert told[1].endswith("1 classes of one image are left out, as nothing compares with it: 'train 9'")


def test_arrays_will_do_and_the_smaller_set(root: Path) -> None:
    arrays = {s: {k: np.array(v) if k in ("qidxs", "pidxs", "cluster") else v for k, v in DB[s].items()} for s in DB}
    put(root, arrays, "retrieval-SfM-30k.pkl")
    assert SfM120k(str(root), "30k", cache=None).load() == SfM120k(str(root), cache=None).load()


def test_a_pair_goes_with_its_photograph(root: Path, told: list[str]) -> None:
    (root / path_of(TRAIN[3])).unlink()
    found = SfM120k(str(root), cache=None).load()
    assert [(found.paths[q][-12:], found.paths[p][-12:]) for q, p in found.pairs] == [
        (TRAIN[0], TRAIN[1]),
        (TRAIN[2], TRAIN[4]),
        (VAL[1], VAL[0]),
    ]
    assert f"{root}: 1 of 8 photographs are not there: ims/01/f0/ff/3ffffffff001" in told


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("pidxs", [1, 3, 4, 6], "a position is not among 6 cids"),
        ("pidxs", [1], "different lengths"),
        ("cluster", [4], "different lengths"),
        ("cluster", ["a"] * 6, "ValueError"),
        ("cids", ["../../../../etc"] * 6, "is no cid"),
        ("cids", ["abc"] * 6, "'abc' is no cid"),
    ],
)
def test_what_does_not_fit_is_told(root: Path, key: str, value: list[Any], wanted: str) -> None:
    put(root, {**DB, "train": {**DB["train"], key: value}})
    with pytest.raises(UserError, match=f"retrieval-SfM-120k.pkl: it does not hold train and val .*{wanted}"):
        SfM120k(str(root), cache=None).load()


def test_a_pickle_runs_nothing_and_a_missing_one_is_told(root: Path) -> None:
    put(root, {"train": Path("x")})
    with pytest.raises(UserError, match=r"no pickle of plain lists and numbers \(it asks for "):
        SfM120k(str(root), cache=None).load()
    put(root, {"train": DB["train"]})
    with pytest.raises(UserError, match=r"does not hold train and val .*KeyError"):
        SfM120k(str(root), cache=None).load()
    (root / "retrieval-SfM-120k.pkl").unlink()
    with pytest.raises(UserError, match=r"SfM-120k.pkl cannot be read \(No such.*put dbs/retrieval-SfM-120k.pkl into"):
        SfM120k(str(root), cache=None).load()
