"""Paris6k and INSTRE, in miniatures of their layouts."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.walks import average_precision
from PIL import Image

from deepret.benchmarks.instre import INSTRE
from deepret.benchmarks.paris6k import Paris6k
from deepret.benchmarks.ukb import UKB
from deepret.data.photo import Photo
from deepret.errors import UserError

CODES = np.random.default_rng(4).normal(size=(9, 3)).astype(np.float32)


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (9, 0, 0)).save(path)


def ranking(query: int, names: Sequence[str]) -> list[str]:
    scores = CODES[: len(names)] @ CODES[query]
    return [names[i] for i in np.argsort(-scores, kind="stable")]


def test_paris_lies_in_folders_and_its_broken_files_are_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(["paris_defense_000001", "paris_defense_000002", "paris_eiffel_000003", "paris_louvre_000004"])
    for name in names:
        write(tmp_path / "images" / "paris" / name.split("_")[1] / f"{name}.jpg")
    (tmp_path / "images" / "paris" / "louvre" / "paris_louvre_000136.jpg").write_bytes(b"broken")
    (tmp_path / "groundtruth").mkdir()
    lists = {"query": "paris_defense_000001 1 1 20 20", "good": names[1], "ok": names[0], "junk": names[3]}
    for kind, text in lists.items():
        (tmp_path / "groundtruth" / f"defense_1_{kind}.txt").write_text(f"{text}\n")
    monkeypatch.setattr(Paris6k, "count", 4)
    monkeypatch.setattr(Paris6k, "asked", 1)

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.from_numpy(CODES[[7 if photo.box else names.index(photo.path.stem) for photo in photos]])

    found = Paris6k(str(tmp_path)).evaluate(describe)
    assert found.benchmark == "paris6k"
    assert found.metrics["mAP"] == pytest.approx(average_precision(ranking(7, names), names[:2], names[3:]), abs=1e-12)
    more = tmp_path / "flickr100k"
    for i in range(2):
        write(more / f"{i}.jpg")

    def describe_more(photos: Sequence[Photo]) -> torch.Tensor:
        place = {**{name: i for i, name in enumerate(names)}, "0": 4, "1": 5}
        return torch.from_numpy(CODES[[7 if photo.box else place[photo.path.stem] for photo in photos]])

    (tmp_path / "list.txt").write_text("flickr100k/0.jpg\nflickr100k/1.jpg\n")
    for distractors in (more, tmp_path / "list.txt"):
        found = Paris6k(str(tmp_path), distractors=str(distractors)).evaluate(describe_more)
        assert found.benchmark == "paris106k (partial: 6 of 100,075)"
        wanted = average_precision(ranking(7, [*names, "0", "1"]), names[:2], names[3:])
        assert found.metrics["mAP"] == pytest.approx(wanted, abs=1e-12)
    (tmp_path / "list.txt").write_text("flickr100k/0.jpg\nflickr100k/9.jpg\n")
    with pytest.raises(UserError, match=r"list.txt: 1 of its 2 photographs are not there: .*9.jpg"):
        Paris6k(str(tmp_path), distractors=str(tmp_path / "list.txt")).evaluate(describe_more)
    with pytest.raises(UserError, match=r"benchmark.distractors=.*nowhere: neither a folder"):
        Paris6k(str(tmp_path), distractors=str(tmp_path / "nowhere")).evaluate(describe_more)


def test_instre_asks_by_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"INSTRE-S1/0{i}_cup/00{j}.jpg" for i in range(2) for j in range(2)]
    asked = [f"INSTRE-S1/0{i}_cup/009.jpg" for i in range(2)]
    for name in names + asked:
        write(tmp_path / name)
    truth = {
        "imlist": names,
        "qimlist": asked,
        "gnd": [{"ok": [2 * i, 2 * i + 1], "bbx": [1, 1, 9, 9]} for i in range(2)],
    }
    (tmp_path / "gnd_instre.pkl").write_bytes(pickle.dumps(truth))
    monkeypatch.setattr(INSTRE, "count", 4)
    monkeypatch.setattr(INSTRE, "asked", 2)

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        paths = [photo.path.relative_to(tmp_path).as_posix() for photo in photos]
        return torch.from_numpy(CODES[[[*names, *asked].index(path) for path in paths]])

    found = INSTRE(str(tmp_path)).evaluate(describe)
    assert found.benchmark == "instre"
    assert all(photo.box == (1, 1, 9, 9) for photo in found.queries)
    wanted = [average_precision(ranking(4 + i, names), names[2 * i : 2 * i + 2], []) for i in range(2)]
    assert found.ap.tolist() == pytest.approx(wanted, abs=1e-12)
    (tmp_path / "gnd_instre.pkl").unlink()
    with pytest.raises(UserError, match=r"there is no gnd_instre.pkl in it: make one of the published"):
        INSTRE(str(tmp_path)).evaluate(describe)


@pytest.mark.parametrize("folder", ["full", "."])
def test_ukb_lies_in_its_folder_or_in_the_root_itself(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UKB, "count", 8)
    for i in range(8):
        write(tmp_path / folder / f"ukbench{i:05d}.jpg")

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.eye(2)[[int(photo.path.stem[-1]) // 4 for photo in photos]]

    found = UKB(str(tmp_path)).evaluate(describe)
    assert found.benchmark == "ukb"
    assert found.metrics["ns"] == 4


def test_ukb_without_any_photograph_says_where_they_are_to_be(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*full"):
        UKB(str(tmp_path)).evaluate(lambda photos: torch.eye(len(photos)))
