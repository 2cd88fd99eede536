"""Unlabelled photographs train as classes of their own, and a few of them choose the checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from deepret.data import views
from deepret.data.catalogue import Catalogue
from deepret.data.photo import open_photo
from deepret.data.sampler import PKBatches
from deepret.data.views import Views
from deepret.errors import UserError


def of_split(catalogue: Catalogue, split: str) -> Catalogue:
    return catalogue.subset(i for i, other in enumerate(catalogue.splits) if other == split)


@pytest.fixture
def flat(write, photos: Path) -> Path:
    """Twenty photographs."""
    for i in range(20):
        write(f"{i:02}.jpg", 60, 40)
    return photos


def load(root: Path, cache: Path | None, **settings: object):
    return Views(str(root), cache=None if cache is None else str(cache), **settings).load()  # type: ignore[arg-type]


def test_each_photograph_is_a_class_and_some_are_held_out_with_a_view_each(flat: Path, tmp_path: Path) -> None:
    found = load(flat, tmp_path / "cache", val_share=0.2)
    train, val = of_split(found, "train"), of_split(found, "val")
    assert len(train) == 16
    assert all(train.views)
    assert not any(val.views)
    assert len(set(train.labels)) == 16
    assert not set(train.labels) & set(val.labels)
    assert val.labels[:4] == val.labels[4:]
    for i in range(8):
        image = open_photo(val.photo(i).path)
        assert image.size == val.sizes[i]
        assert max(image.size) == (60 if i < 4 else views.VIEW_SIZE)
    assert sorted(train.paths + [Path(p).name for p in val.paths[:4]]) == [f"{i:02}.jpg" for i in range(20)]


def test_one_photograph_more_moves_one_other_at_most(flat: Path, tmp_path: Path, write) -> None:
    before = {Path(path).name for path in of_split(load(flat, tmp_path / "cache", val_share=0.2), "val").paths[:4]}
    for name in ("000.jpg", "0a.jpg", "99.jpg"):
        write(name, 60, 40)
        after = {Path(path).name for path in of_split(load(flat, tmp_path / "cache", val_share=0.2), "val").paths}
        assert len(before & after) >= 3
        (flat / name).unlink()


def test_the_views_are_made_once_and_stay_the_same(flat: Path, tmp_path: Path, write) -> None:
    found = load(flat, tmp_path / "one")
    made = sorted((tmp_path / "one" / "views").iterdir())
    times = [path.stat().st_mtime_ns for path in made]
    assert len(made) == 2
    assert load(flat, tmp_path / "one") == found
    assert [path.stat().st_mtime_ns for path in made] == times
    load(flat, tmp_path / "two")
    assert [(tmp_path / "two/views" / path.name).read_bytes() for path in made] == [path.read_bytes() for path in made]
    moved = shutil.copytree(flat, tmp_path / "moved")
    elsewhere = of_split(load(moved, tmp_path / "three"), "val")
    before = of_split(found, "val")
    for i in range(4):  # the same views, wherever the folder lies
        assert elsewhere.photo(i).path.read_bytes() == before.photo(i).path.read_bytes()
    for i in range(20):
        write(f"{i:02}.jpg", 60, 50)
    load(flat, tmp_path / "one")
    assert len(list((tmp_path / "one" / "views").iterdir())) == 4  # another photograph has another view


@pytest.mark.parametrize("settings", [{"val_share": 0.0}, {"cache": None}])
def test_without_val_all_photographs_train(flat: Path, tmp_path: Path, settings: dict[str, object]) -> None:
    found = load(flat, **{"cache": tmp_path / "cache", **settings})  # type: ignore[arg-type]
    assert found.splits == ["train"] * 20
    assert all(found.views)


def test_of_a_few_two_are_held_out(write, photos: Path, tmp_path: Path) -> None:
    for i in range(3):
        write(f"{i}.jpg", 60, 40)
        found = load(photos, tmp_path / "cache")
        assert (of_split(found, "train"), of_split(found, "val")) == (found, found.subset([])) or i == 2
    assert len(of_split(found, "train")) == 1
    assert len(of_split(found, "val")) == 4


def test_batches_are_drawn_from_views_alone(flat: Path) -> None:
    found = load(flat, None)
    batches = PKBatches(found.label_ids(), torch.tensor(found.views), 8, 2, 0.4, 3, seed=0)
    for batch in batches:
        assert [len({d.index for d in batch[k : k + 2]}) for k in range(0, 8, 2)] == [1] * 4


def test_views_that_cannot_be_kept(flat: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "views").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"could not be written.*views for val.*data.val_share=0"):
        load(flat, tmp_path / "cache")


def test_a_folder_without_photographs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data.root=.*there is no photograph"):
        load(tmp_path, None)
    with pytest.raises(UserError, match=r"data.root=.*there is no such folder"):
        load(tmp_path / "nowhere", None)
