"""Copies are found among other photographs, each file decoded once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from data.pictures import picture
from PIL import Image

from deepret.data import check
from deepret.data.duplicates import pairs
from deepret.data.duplicates.pairs import near_duplicates
from deepret.data.duplicates.prints import Prints, prints


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten photographs; 2 again as a smaller JPEG, 3 again with its edges cut off and darker; flat ones, and no file."""
    root = tmp_path / "photos"
    root.mkdir()
    for seed in range(10):
        picture(seed).save(root / f"{seed}.png")
    picture(2).resize((130, 100)).save(root / "2 again.jpg", quality=70)
    picture(3).crop((4, 3, 196, 148)).point(lambda v: round(0.8 * v)).save(root / "3 again.jpg")
    for name, side in {"flat": 50, "flat too": 51}.items():
        Image.new("RGB", (60, side), "grey").save(root / f"{name}.png")
    (root / "broken.jpg").write_bytes(b"no photograph")
    return root


def names(found: Prints, pairs: list, other: Prints | None = None) -> set[tuple[str, str]]:
    return {(found.path(p.first).stem, (other or found).path(p.second).stem) for p in pairs}


def paths_of(found: Prints) -> list[Path]:
    return [found.path(i) for i in range(len(found))]


def told(found: Prints) -> list[object]:
    return [paths_of(found), found.bits.tolist(), found.hashed.tolist(), found.wrong]


def all_of(folder: Path, cache: Path | None = None) -> Prints:
    return prints(folder, sorted(p.name for p in folder.iterdir()), cache)


def test_copies_are_found(folder: Path) -> None:
    found = all_of(folder)
    assert names(found, near_duplicates(found)) == {("2 again", "2"), ("3 again", "3")}
    assert found.flat == 2
    assert [found.path(i).name for i in found.wrong] == ["broken.jpg"]


def test_two_sets_are_compared_either_way(folder: Path) -> None:
    found = all_of(folder)
    again = found.subset([i for i, path in enumerate(paths_of(found)) if "again" in path.stem])
    rest = found.subset([i for i, path in enumerate(paths_of(found)) if "again" not in path.stem])
    assert names(again, near_duplicates(again, rest), rest) == {("2 again", "2"), ("3 again", "3")}
    turned = {(two, one) for one, two in names(rest, near_duplicates(rest, again), again)}
    assert turned == {("2 again", "2"), ("3 again", "3")}
    assert near_duplicates(again, again.subset([])) == []
    assert near_duplicates(again.subset([])) == []


def test_a_second_look_decodes_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = all_of(folder, tmp_path / "cache")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(check, "decode", never)
    assert told(all_of(folder, tmp_path / "cache")) == told(once)


def test_photographs_of_another_folder_are_decoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Views stand under the catalogue's root by absolute paths; the folder of their own was looked at before."""
    views, cache = tmp_path / "views", tmp_path / "cache"
    for name in ("1.png", "deep/2.png"):
        (views / name).parent.mkdir(parents=True, exist_ok=True)
        picture(60).save(views / name)
    paths = ["1.png", str(views / "1.png"), str(folder / "2.png"), str(views / "deep" / "2.png"), "3.png"]
    without = prints(folder, paths, None)
    assert [path.parent for path in paths_of(without)] == [folder, views, folder, views / "deep", folder]
    check.look_at_all(folder, ["1.png", "2.png", "3.png"], cache)
    check.look_at_all(views, ["1.png", "deep/2.png"], cache)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(check, "decode", never)
    assert told(prints(folder, paths, cache)) == told(without)


def test_a_file_that_is_gone_is_no_copy(folder: Path) -> None:
    found = all_of(folder)
    (folder / "2.png").unlink()
    with pytest.warns(UserWarning, match=r"1 photographs cannot be read any more.*2\.png"):
        assert names(found, near_duplicates(found)) == {("3 again", "3")}


def test_near_hashes_alone_are_not_enough(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = all_of(folder)
    monkeypatch.setattr(pairs, "DISTANCE", 255)
    assert names(found, near_duplicates(found)) == {("2 again", "2"), ("3 again", "3")}


def test_pairs_are_kept_until_a_photograph_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    found = all_of(folder)
    once = near_duplicates(found, None, cache)
    assert len(once) == 2
    compare = pairs.close_pairs

    def never(*_: object) -> None:
        raise AssertionError("compared again")

    monkeypatch.setattr(pairs, "close_pairs", never)
    assert near_duplicates(all_of(folder), None, cache) == once
    for other in (found.subset(range(5)), found.subset(range(len(found))[::-1])):
        with pytest.raises(AssertionError, match="compared again"):
            near_duplicates(other, None, cache)
    with pytest.raises(AssertionError, match="compared again"):
        near_duplicates(found, found, cache)
    with monkeypatch.context() as patch:
        patch.setattr(pairs, "DISTANCE", 87)
        with pytest.raises(AssertionError, match="compared again"):
            near_duplicates(found, None, cache)
    monkeypatch.setattr(pairs, "close_pairs", compare)
    next(iter((cache / "copies").iterdir())).write_text("[[1]]")
    assert near_duplicates(found, None, cache) == once


def test_a_file_that_is_another_is_compared_though_its_hash_is_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = all_of(folder)
    assert ("3 again", "3") in names(found, near_duplicates(found, None, tmp_path / "cache"))
    picture(77).save(folder / "3 again.jpg")  # its hash is taken to stay
    assert names(found, near_duplicates(found, None, tmp_path / "cache")) == {("2 again", "2")}
    monkeypatch.setattr(pairs, "RULES", "others")
    monkeypatch.setattr(pairs, "similarity", lambda *_: 0.0)
    assert near_duplicates(found, None, tmp_path / "cache") == []


@pytest.mark.slow
def test_copies_are_found_beside_others_of_their_hash(tmp_path: Path) -> None:
    """Photographs of one hash that show different things: a copy is one of any of them, not of the first alone."""
    for seed in range(5):
        for name in ("one", "two", "three")[: seed % 2 + 2]:
            picture(seed).save(tmp_path / f"{seed} {name}.png")
    paths = sorted(path.name for path in tmp_path.iterdir())
    every = prints(tmp_path, paths, None)
    same = Prints(tmp_path, paths, np.repeat(every.bits[:1], len(paths), axis=0), every.hashed, {})
    expected = {(f"{seed} one", f"{seed} two") for seed in range(5)}
    expected |= {(f"{seed} one", f"{seed} three") for seed in (1, 3)}
    assert {frozenset(pair) for pair in names(same, near_duplicates(same))} == {frozenset(pair) for pair in expected}
    firsts, rest = ([i for i, path in enumerate(paths) if ("one" in path) is one] for one in (True, False))
    left, right = same.subset(firsts), same.subset(rest)
    assert names(left, near_duplicates(left, right), right) == expected
    turned = names(right, near_duplicates(right, left), left)
    assert {(two, one) for one, two in turned} == expected


@pytest.mark.slow
def test_any_number_of_photographs_may_have_one_hash(tmp_path: Path) -> None:
    for seed in range(18):
        for name in ("one", "two"):
            picture(seed).save(tmp_path / f"{seed} {name}.png")
    every = prints(tmp_path, sorted(path.name for path in tmp_path.iterdir()), None)
    same = Prints(tmp_path, every.names, np.repeat(every.bits[:1], 36, axis=0), every.hashed, {})
    assert names(same, near_duplicates(same)) == {(f"{seed} one", f"{seed} two") for seed in range(18)}


def test_flat_photographs_are_copies_where_they_are_the_same_file(folder: Path) -> None:
    (folder / "flat again.png").write_bytes((folder / "flat.png").read_bytes())
    Image.new("RGB", (60, 50), "black").save(folder / "flat black.png")
    found = all_of(folder)
    expected = {("2 again", "2"), ("3 again", "3"), ("flat again", "flat")}
    assert names(found, near_duplicates(found)) == expected
    black = found.subset([i for i in range(len(found)) if found.path(i).stem == "flat black"])
    rest = found.subset([i for i in range(len(found)) if found.path(i).stem in ("flat", "flat too")])
    again = found.subset([i for i in range(len(found)) if found.path(i).stem == "flat again"])
    assert near_duplicates(black, rest) == []
    assert names(again, near_duplicates(again, rest), rest) == {("flat again", "flat")}
    assert names(rest, near_duplicates(rest, again), again) == {("flat", "flat again")}


def test_a_file_that_is_replaced_with_its_size_and_time_kept_is_looked_at_again(tmp_path: Path) -> None:
    """As cp -p and rsync -t do it."""
    root, cache = tmp_path / "photos", tmp_path / "cache"
    root.mkdir()
    for seed in (1, 2):
        picture(seed).save(root / f"{seed}.bmp")
        os.utime(root / f"{seed}.bmp", ns=(10**18, 10**18))
    assert near_duplicates(prints(root, ["1.bmp", "2.bmp"], cache), None, cache) == []
    shutil.copy2(root / "1.bmp", root / "2.bmp")
    assert len(near_duplicates(prints(root, ["1.bmp", "2.bmp"], cache), None, cache)) == 1


def test_pairs_of_a_file_that_cannot_be_read_are_not_kept(folder: Path, tmp_path: Path) -> None:
    found = all_of(folder)
    content = (folder / "2.png").read_bytes()
    (folder / "2.png").unlink()
    with pytest.warns(UserWarning, match="cannot be read any more"):
        assert len(near_duplicates(found, None, tmp_path / "cache")) == 1
    (folder / "2.png").write_bytes(content)
    assert len(near_duplicates(found, None, tmp_path / "cache")) == 2


def test_a_picture_that_is_there_many_times_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pairs would be more than are kept, and are nearer than those of a real copy."""
    monkeypatch.setattr(pairs, "MOST", 60)
    placeholder = picture(50)
    for number in range(20):
        for side in "ab":
            placeholder.save(tmp_path / f"{side}{number}.png")
    picture(2).save(tmp_path / "a real.png")
    picture(2).resize((130, 100)).save(tmp_path / "b real.jpg", quality=70)
    paths = sorted(path.name for path in tmp_path.iterdir())
    first, second = (prints(tmp_path, [path for path in paths if path[0] == side], None) for side in "ab")
    found = names(first, near_duplicates(first, second), second)
    assert ("a real", "b real") in found
    assert {one for one, _ in found} == {path.stem for path in paths_of(first)}
    assert {two for _, two in found} == {path.stem for path in paths_of(second)}
    assert len(found) == 20 + 20 - 1 + 1
    together = prints(tmp_path, paths, None)
    found = names(together, near_duplicates(together))
    assert len(found) == 39 + 1
    monkeypatch.setattr(pairs, "MOST", 30)
    for _ in range(2):
        with pytest.warns(UserWarning, match="more than 30 pairs of photographs have near hashes"):
            near_duplicates(first, second, tmp_path / "cache")
    with pytest.warns(UserWarning, match="more than 30 pairs of photographs have near hashes"):
        near_duplicates(together)
