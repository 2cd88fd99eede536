"""Copies of train's photographs in what is scored are leaks; other copies are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from data.pictures import picture

from deepret.data.catalogue import Catalogue
from deepret.data.duplicates.leaks import SCORED, Copies, Scored, copies, counted, refuse
from deepret.data.duplicates.prints import prints
from deepret.errors import UserError


def catalogue(root: Path, **splits: list[int]) -> Catalogue:
    """Photographs of the split's own names, each a picture of its number."""
    paths, of = [], []
    for split, pictures in splits.items():
        for number, seed in enumerate(pictures):
            paths.append(f"{split}{number}.png")
            of.append(split)
            picture(seed).resize((150 + 10 * number, 120)).save(root / paths[-1])
    n = len(paths)
    return Catalogue(root, paths, ["a"] * n, of, [(9, 9)] * n, [[]] * n, [False] * n)


def found(data: Catalogue, within: bool, scored: tuple[str, ...] = SCORED, benchmark: Scored | None = None):
    return copies(data, prints(data.root, data.paths, None), scored, benchmark, within)


@pytest.mark.parametrize("within", [True, False])
def test_leaks_are_between_train_and_what_is_scored(tmp_path: Path, within: bool) -> None:
    data = catalogue(tmp_path, val=[1, 2], train=[1, 3, 5, 3], query=[7], gallery=[7, 5], distractor=[3])
    pairs = found(data, within)
    assert {pair.names for pair in pairs if pair.leak} == {("train0.png", "val0.png"), ("train2.png", "gallery1.png")}
    assert counted(pairs) == {"val": 1, "gallery": 1}
    others = {pair.names for pair in pairs if not pair.leak}
    inside = {("train1.png", "train3.png"), ("gallery0.png", "query0.png")}
    inside |= {("train1.png", "distractor0.png"), ("train3.png", "distractor0.png")}
    assert others == (inside if within else set())
    assert [pair.leak for pair in pairs] == sorted((pair.leak for pair in pairs), reverse=True)


def test_of_the_same_file_many_times_each_leak_counts(tmp_path: Path) -> None:
    """One stands for the others of the same hash: it is one of train where there is any."""
    of = [("gallery", 3), ("val", 2), ("train", 2), ("test", 2), ("train", 4), ("distractor", 2)]
    rows = [(split, f"{split}{i}.png") for split, count in of for i in range(count)]
    for _, name in rows:
        picture(1).save(tmp_path / name)
    n = len(rows)
    names, splits = [name for _, name in rows], [split for split, _ in rows]
    data = Catalogue(tmp_path, names, ["a"] * n, splits, [(9, 9)] * n, [[]] * n, [False] * n)
    for within in (True, False):
        assert counted(found(data, within)) == {"gallery": 3, "val": 2, "test": 2}


def test_only_what_is_scored_counts(tmp_path: Path) -> None:
    data = catalogue(tmp_path, train=[1, 2], val=[1], test=[2])
    assert counted(found(data, False, ("val",))) == {"val": 1}


def test_a_benchmark_is_compared_with_train_alone(tmp_path: Path) -> None:
    data = catalogue(tmp_path, train=[1, 2], test=[3])
    (tmp_path / "images").mkdir()
    for seed in (1, 3, 4):
        picture(seed).resize((99, 77)).save(tmp_path / "images" / f"{seed}.jpg")
    other = Scored("oxford5k", prints(tmp_path / "images", ["1.jpg", "3.jpg", "4.jpg"], None))
    [pair] = found(data, True, benchmark=other)
    assert pair.names == ("train0.png", str(tmp_path / "images" / "1.jpg"))
    assert pair.of == ("train", "oxford5k")
    assert pair.leak


def leak(number: int, of: str) -> Copies:
    return Copies((Path(f"t{number}"), Path(f"s{number}")), (f"t{number}", f"s{number}"), ("train", of), 1.0)


def test_leaks_are_refused_unless_they_are_allowed_by_name() -> None:
    pairs = [*(leak(i, "test") for i in range(5)), leak(9, "oxford5k"), leak(10, "distractor")]
    refuse(pairs, ["test", "oxford5k"])
    refuse([], [])
    with pytest.raises(UserError) as caught:
        refuse(pairs, ["oxford5k"])
    said = str(caught.value)
    for part in ("too, 5 of test (", "s0 = t0, s1 = t1, s2 = t2 …", "allow=[oxford5k,test]", "deepret data"):
        assert part in said
    assert "s9" not in said
    assert "\n" not in said
    with pytest.raises(UserError, match=r"5 of test and 1 of oxford5k.*allow=\[test,oxford5k\]"):
        refuse(pairs, [])
