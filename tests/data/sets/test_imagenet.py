from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from deepret.data.sets.imagenet import ImageNet
from deepret.errors import UserError

CLASSES = ("n01440764", "n01443537")
VAL = [f"ILSVRC2012_val_{i:08d}" for i in range(1, 5)]
OF = [CLASSES[1], CLASSES[0], CLASSES[0], CLASSES[1]]
TRAIN_ROWS = [(f"train/{label}/{label}_{i}.JPEG", label, "train") for label in CLASSES for i in (18, 36)]
FLAT_ROWS = [(f"val/{name}.JPEG", label, "val") for name, label in zip(VAL, OF, strict=True)]


@pytest.fixture
def root(write, photos: Path) -> Path:
    for path, _, _ in TRAIN_ROWS:
        write(path)
    return photos


@pytest.fixture
def flat(write, root: Path) -> Path:
    for name in VAL:
        write(f"val/{name}.JPEG")
    return root


def solution(labels: list[str]) -> str:
    lines = [f"{name},{label} 85 1 499 272 " for name, label in zip(VAL, labels, strict=True)]
    return "\n".join(["ImageId,PredictionString", *reversed(lines)]) + "\n"


def test_folders_of_classes(write, root: Path, table, told: list[str]) -> None:
    for name, label in zip(VAL, OF, strict=True):
        write(f"val/{label}/{name}.JPEG")
    write("train/loose.JPEG")
    found = table(ImageNet(str(root), cache=None).load())
    assert found == TRAIN_ROWS + sorted(
        (f"val/{label}/{name}.JPEG", label, "val") for name, label in zip(VAL, OF, strict=True)
    )
    assert told == [f"{root}: 1 photographs of train lie in no class and are left out: train/loose.JPEG"]


def test_the_tar_file_of_a_class(write, root: Path, table) -> None:
    for name, label in zip(VAL, OF, strict=True):
        write(f"val/{label}/{name}.JPEG")
    folder = root / "train" / "n02084071"
    folder.mkdir()
    with tarfile.open(root / "train" / "n02084071.tar", "w") as tar:
        for number in range(2):
            write(f"train/n02084071/{number}.JPEG")
            tar.add(folder / f"{number}.JPEG", f"n02084071_{number}.JPEG")
    shutil.rmtree(folder)
    found = [row for row in table(ImageNet(str(root), cache=None).load()) if row[1] == "n02084071"]
    assert found == [(f"train/n02084071.tar/n02084071_{i}.JPEG", "n02084071", "train") for i in range(2)]


def test_a_flat_val_by_kaggles_list(flat: Path, text, table) -> None:
    text("LOC_val_solution.csv", solution(OF))
    assert table(ImageNet(str(flat), cache=None).load()) == TRAIN_ROWS + FLAT_ROWS
    text("LOC_val_solution.csv", solution([*OF[:3], ""]).replace(" 85 1 499 272", ""))
    with pytest.raises(UserError, match=r"LOC_val_solution.csv, line 2: .*wanted: ImageId,CLASS"):
        ImageNet(str(flat), cache=None).load()


def test_a_flat_val_by_the_devkit(flat: Path, text, table) -> None:
    folder = "ILSVRC2012_devkit_t12/data"
    text(f"{folder}/ILSVRC2012_validation_ground_truth.txt", "490\n361\n361\n490\n")
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    synsets = np.zeros((3, 1), dtype=kinds)
    synsets[:, 0] = [(361, CLASSES[0], "tench"), (490, CLASSES[1], "goldfish"), (1001, "n00001740", "entity")]
    savemat(flat / folder / "meta.mat", {"synsets": synsets})
    assert table(ImageNet(str(flat), cache=None).load()) == TRAIN_ROWS + FLAT_ROWS
    text(f"{folder}/ILSVRC2012_validation_ground_truth.txt", "490\n361\n2000\n490\n")
    with pytest.raises(UserError, match=r"ground_truth.txt, line 3: '2000'; wanted: the number of a class"):
        ImageNet(str(flat), cache=None).load()
    (flat / folder / "meta.mat").unlink()
    with pytest.raises(UserError, match=r"data/meta.mat cannot be read"):
        ImageNet(str(flat), cache=None).load()


def test_kaggles_folders(write, photos: Path, text, table) -> None:
    for path in [path for path, _, _ in TRAIN_ROWS + FLAT_ROWS]:
        write(f"ILSVRC/Data/CLS-LOC/{path}")
    text("LOC_val_solution.csv", solution(OF))
    found = table(ImageNet(str(photos), cache=None).load())
    assert found == [(f"ILSVRC/Data/CLS-LOC/{path}", label, split) for path, label, split in TRAIN_ROWS + FLAT_ROWS]


def test_what_is_missing_is_told(flat: Path, text, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"LOC_val_solution.csv cannot be read \(No such.*a flat val needs"):
        ImageNet(str(flat), cache=None).load()
    text("LOC_val_solution.csv", "\n".join(solution(OF).splitlines()[:3]) + "\n")
    with pytest.raises(UserError, match=r"val_00000001.JPEG: nothing says what it shows, and 1 others"):
        ImageNet(str(flat), cache=None).load()
    with pytest.raises(UserError, match=r"there is no folder train in .*ROOT holds train/CLASS"):
        ImageNet(str(flat / "val"), cache=None).load()
