"""Compared pairs: the score as its formula has it, columns in order, and what comes back from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cleaning.made import descriptors, features, seen_twice

from deepret.cleaning.features.base import Features
from deepret.cleaning.pairs.compared import COLUMNS, Compared, columns, compare, joined, load, save
from deepret.cleaning.verification.affine import Affine
from deepret.cleaning.verification.base import Match
from deepret.errors import UserError


def match(seed: int) -> Match:
    random = np.random.default_rng(seed)
    inliers = int(random.integers(4, 200))
    boxes = tuple(map(float, random.uniform(0, 500, 4))), tuple(map(float, random.uniform(0, 500, 4)))
    most = inliers * int(random.integers(1, 12))
    return Match(most, inliers, int(random.integers(1, 65)), random.normal(size=(3, 3)), boxes)


def some(count: int, seed: int = 0) -> Compared:
    return columns([((i, i + seed + 1), match(seed * 100 + i)) for i in range(count)], 2 * count, 0.25 * count)


def told(found: Compared) -> object:
    return [getattr(found, name).tolist() for name in COLUMNS], found.count, found.seconds


def types(found: Compared) -> list[str]:
    return [f"{getattr(found, name).dtype} {getattr(found, name).shape[1:]}" for name in COLUMNS]


def test_scores_by_the_formula() -> None:
    found = some(50)
    for i, score in enumerate(found.scores):
        share = found.inliers[i] / found.tentative[i]
        expected = (found.inliers[i] * found.cells[i] ** 2) ** (1 / 3) * min(1, 4 * share)
        assert score == pytest.approx(expected)


def test_columns_of_pairs_and_matches() -> None:
    pairs = [((3, 9), match(1)), ((2, 4), match(2))]
    found = columns(pairs, 7, 0.5)
    assert (len(found), found.count, found.seconds) == (2, 7, 0.5)
    for i, (pair, one) in enumerate(pairs):
        assert found.rows[i].tolist() == list(pair)
        assert (found.tentative[i], found.inliers[i], found.cells[i]) == one[:3]
        np.testing.assert_array_equal(found.transforms[i], one.transform)
        np.testing.assert_array_equal(found.boxes[i], one.boxes)


def test_joined_is_one_after_the_other() -> None:
    parts = [some(3), some(0), some(2, seed=4)]
    found = joined(parts)
    assert (len(found), found.count, found.seconds) == (5, 10, 1.25)
    for name in COLUMNS:
        expected = [row for part in parts for row in getattr(part, name).tolist()]
        assert getattr(found, name).tolist() == expected
    assert types(joined([])) == types(found)
    assert (len(joined([])), joined([]).count) == (0, 0)


def test_some_keeps_how_many_were_compared() -> None:
    found = some(6)
    for chosen in (np.array([1, 4]), np.isin(np.arange(6), [1, 4])):
        less = found.some(chosen)
        assert less.rows.tolist() == found.rows[[1, 4]].tolist()
        assert less.scores.tolist() == found.scores[[1, 4]].tolist()
        assert (less.count, less.seconds) == (found.count, found.seconds)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_comes_back_from_disk(tmp_path: Path, count: int) -> None:
    save(tmp_path / "a/b.npz", some(count))
    found = load(tmp_path / "a/b.npz")
    assert found is not None
    assert told(found) == told(some(count))
    assert types(found) == types(some(count))


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert load(path) is None
    save(path, some(3))
    whole, gone = path.read_bytes(), 0
    for place in range(0, len(whole), 17):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        found = load(path)
        gone += found is None
        assert found is None or told(found) == told(some(3))
    assert gone > 40
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert load(path) is None
    np.savez(path, rows=np.zeros((1, 2), int), count=1)
    assert load(path) is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="could not be written"):
        save(tmp_path / "file/a.npz", some(1))


def test_compare_keeps_what_a_map_explains() -> None:
    one, two = seen_twice(np.array([[0.9, -0.2, 60], [0.3, 1.1, -40], [0, 0, 1.0]]))
    other = features(np.random.default_rng(5).uniform(0, 400, (80, 2)), descriptors(80, 77))
    asked: list[int] = []

    def give(row: int) -> Features:
        asked.append(row)
        return {10: one, 20: other, 30: two}[row]

    found = compare([(10, 20), (10, 30), (20, 30)], give, Affine())
    expected = Affine()(one, two)
    assert expected is not None
    assert (found.rows.tolist(), found.count) == ([[10, 30]], 3)
    assert found.inliers.tolist() == [expected.inliers]
    np.testing.assert_array_equal(found.transforms[0], expected.transform)
    assert asked == [10, 20, 10, 30, 20, 30]
    assert found.seconds > 0
