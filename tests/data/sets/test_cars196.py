from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from deepret.benchmarks.cars196 import Cars196 as Benchmark
from deepret.data.sets.cars196 import Cars196
from deepret.errors import UserError

CLASSES = [1, 1, 7, 7, 98, 98, 99, 99]
KINDS = [(name, "O") for name in ("relative_im_path", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "test")]


@pytest.fixture
def root(write, photos: Path) -> Path:
    rows = np.zeros((1, len(CLASSES)), dtype=KINDS)
    for i, label in enumerate(CLASSES):
        rows[0, i] = (f"car_ims/{i + 1:06d}.jpg", 1, 2, 30, 20, label, 0)
        write(f"car_ims/{i + 1:06d}.jpg")
    names = np.array([["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]], dtype=object)
    savemat(photos / "cars_annos.mat", {"annotations": rows, "class_names": names})
    return photos


def test_the_first_98_models_are_learned(root: Path, table, told: list[str]) -> None:
    found = Cars196(str(root), val_share=0.34, cache=None).load()
    assert table(found) == [
        ("car_ims/000001.jpg", "1", "train"),
        ("car_ims/000002.jpg", "1", "train"),
        ("car_ims/000003.jpg", "7", "val"),
        ("car_ims/000004.jpg", "7", "val"),
        ("car_ims/000005.jpg", "98", "train"),
        ("car_ims/000006.jpg", "98", "train"),
        ("car_ims/000007.jpg", "99", "test"),
        ("car_ims/000008.jpg", "99", "test"),
    ]
    assert ["6 of train (8,054 are published), 2 of test (8,131 are published)" in line for line in told] == [True]
    assert Benchmark(str(root)).labelled() == [("car_ims/000007.jpg", "99"), ("car_ims/000008.jpg", "99")]


def test_what_is_missing_or_broken_is_named(root: Path) -> None:
    (root / "cars_annos.mat").write_bytes(b"no")
    with pytest.raises(UserError, match=r"data.root=.*: cars_annos.mat cannot be read"):
        Cars196(str(root), cache=None).load()
    (root / "cars_annos.mat").unlink()
    with pytest.raises(UserError, match=r"cars_annos.mat cannot be read \(No such.*They were at.*car_ims of car_ims"):
        Cars196(str(root), cache=None).load()
