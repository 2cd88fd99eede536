"""Features are found once, and again where the photograph, the settings or the kept file are others."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from cleaning.made import descriptors, features
from data.pictures import picture

from deepret.cleaning.features.base import Extractor, Features
from deepret.cleaning.features.rootsift import RootSIFT
from deepret.cleaning.features.sift import SIFT
from deepret.cleaning.features.store import FeatureStore, read, write
from deepret.errors import UserError


def told(found: Features) -> object:
    return found.points.tolist(), found.descriptors.tolist(), found.scale


def kept(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.npz"))


@pytest.fixture
def store(photos: Path, tmp_path: Path, counting: Extractor) -> FeatureStore:
    return FeatureStore(photos, counting, tmp_path / "cache")


def again(store: FeatureStore) -> FeatureStore:
    """A store of a later run."""
    return FeatureStore(store.root, store.extractor, store.folder.parent.parent)


def test_found_once(store: FeatureStore, photos: Path) -> None:
    found = [told(store.features(f"{i}.png")) for i in range(3)]
    assert store.extractor.calls == 3
    assert [told(store.features(f"{i}.png")) for i in range(3)] == found
    later = again(store)
    assert [told(later.features(f"{i}.png")) for i in range(3)] == found
    assert [later.look(f"{i}.png") for i in range(3)] == [(64, "")] * 3
    assert store.extractor.calls == 3
    assert told(store.extractor(photos / "0.png")) == found[0]


def test_look_keeps_what_features_gives(store: FeatureStore) -> None:
    assert store.look("0.png") == (64, "")
    assert len(store.features("0.png")) == 64
    assert store.extractor.calls == 1


def test_a_photograph_that_is_replaced_is_looked_at_again(store: FeatureStore, photos: Path) -> None:
    before = told(store.features("0.png"))
    picture(99, 64, 48).save(photos / "0.png")
    after = told(again(store).features("0.png"))
    assert after != before
    assert store.extractor.calls == 2
    assert told(again(store).features("1.png")) not in (before, after)


def test_one_touched_is_looked_at_again(store: FeatureStore, photos: Path) -> None:
    store.look("0.png")
    os.utime(photos / "0.png", ns=(1, 1))
    store.look("0.png")
    assert store.extractor.calls == 2


def test_photographs_of_one_name_in_two_folders_are_two(store: FeatureStore, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    picture(50, 64, 48).save(other / "0.png")
    there = FeatureStore(other, store.extractor, tmp_path / "cache")
    assert told(there.features("0.png")) != told(store.features("0.png"))
    assert told(store.features(str(other / "0.png"))) == told(there.features("0.png"))


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_made_again(store: FeatureStore, tmp_path: Path, damage: bytes | None) -> None:
    before = told(store.features("0.png"))
    (file,) = kept(tmp_path / "cache")
    file.write_bytes(file.read_bytes()[:-40] if damage is None else damage)
    assert told(again(store).features("0.png")) == before
    assert store.extractor.calls == 2
    assert told(again(store).features("0.png")) == before
    assert store.extractor.calls == 2


def test_no_byte_of_a_kept_file_can_change_unseen(tmp_path: Path) -> None:
    some = features(np.arange(8.0).reshape(4, 2), descriptors(4), 0.5)
    write(tmp_path / "a.npz", some)
    whole = (tmp_path / "a.npz").read_bytes()
    gone = 0
    for place in range(0, len(whole), 13):
        (tmp_path / "a.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        found = read(tmp_path / "a.npz")
        gone += found is None
        assert found is None or told(found) == told(some)
    assert gone > 30


@pytest.mark.parametrize("points", [np.zeros((3, 2)), np.zeros(4)])
def test_columns_of_another_length_are_none(tmp_path: Path, points: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", points=points, descriptors=descriptors(4), scale=1.0)
    assert read(tmp_path / "a.npz") is None
    np.savez(tmp_path / "b.npz", points=points)
    assert read(tmp_path / "b.npz") is None
    assert read(tmp_path / "missing.npz") is None


def test_a_broken_photograph_has_none_and_a_reason(store: FeatureStore, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"no photograph")
    assert store.look("broken.jpg") == (0, "it is no image that Pillow knows")
    assert store.look("missing.jpg") == (0, "there is no such file")
    assert len(store.features("broken.jpg")) == 0
    assert kept(tmp_path / "cache") == []
    picture(3, 64, 48).save(photos / "broken.jpg")
    assert again(store).look("broken.jpg") == (64, "")


def test_a_cache_that_cannot_be_written(photos: Path, tmp_path: Path, counting: Extractor) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FeatureStore(photos, counting, tmp_path / "file")
    for find in (store.look, store.features):
        with pytest.raises(UserError, match=r"could not be written: .*another folder: cache=DIR"):
            find("0.png")


def test_other_settings_have_other_files(tmp_path: Path) -> None:
    extractors = [SIFT(), SIFT(size=320), SIFT(count=99), SIFT(contrast=0.03), RootSIFT()]
    assert len({FeatureStore(tmp_path, one, tmp_path).folder for one in extractors}) == 5
    assert FeatureStore(tmp_path, SIFT(), tmp_path).folder == FeatureStore(tmp_path, SIFT(), tmp_path).folder


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), MemoryError()])
def test_a_disk_that_fails_for_a_moment_says_nothing_about_the_photograph(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(path: Path, **more: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("deepret.cleaning.features.base.decode", failing)
        with pytest.raises(UserError, match=r"0\.png: cannot be read now .*try again"):
            store.features("0.png")
    assert kept(store.folder) == []
    assert len(store.features("0.png")) == 64
