"""The stage that takes long: nothing is compared twice, and nothing depends on threads, shares or other classes."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from data.pictures import picture

from deepret.cleaning import matched
from deepret.cleaning.features.sift import SIFT
from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.matched import Matcher, read_partners, write_partners
from deepret.cleaning.pairs import plan
from deepret.cleaning.pairs.compared import COLUMNS, Compared, compare, joined
from deepret.cleaning.pairs.plan import ACROSS, Plan
from deepret.cleaning.shortlist.everything import Everything
from deepret.cleaning.shortlist.vocabulary import Vocabulary
from deepret.cleaning.verification.affine import Affine
from deepret.cleaning.verification.base import Match, Verification
from deepret.errors import UserError

pytestmark = pytest.mark.slow


class CountingAffine(Affine):
    """Counts the pairs that it verifies."""

    def __init__(self, ratio: float = 0.75) -> None:
        super().__init__(ratio)
        self._calls: list[int] = []

    def __call__(self, first: object, second: object) -> Match | None:
        self._calls.append(1)
        return super().__call__(first, second)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BLOCK", 3)


NAMES = [f"{thing}-{i}.png" for thing in range(2) for i in range(5)] + ["2-0.png", "3-0.png"]
CLASSES = [[0, 1, 2, 3, 4, 10], [5, 6, 7, 8, 9]]
ALONG = [(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)]


def matcher(
    root: Path,
    cache: Path,
    threads: int | None = 1,
    classes: Sequence[list[int]] = CLASSES,
    across: Sequence[tuple[int, int]] = ALONG,
    verification: Verification | None = None,
    shortlist: object = None,
    names: Sequence[str] = NAMES,
    size: int = 200,
) -> Matcher:
    store = FeatureStore(root, SIFT(size=size, count=300), cache)
    some = verification or CountingAffine()
    return Matcher(names, Plan(list(classes), list(across)), store, some, shortlist or Everything(), cache, threads)  # type: ignore[arg-type]


def calls(made: Matcher) -> int:
    return len(made.verification._calls)  # type: ignore[attr-defined]


def told(some: Matcher) -> object:
    """All results but how long they took, in one order."""
    found = joined(some.result(block) for block in some.blocks)
    order = np.lexsort(found.rows.T)
    return [getattr(found, name)[order].tolist() for name in COLUMNS], found.count


def test_every_pair_as_compared_one_by_one(crops: Path, tmp_path: Path) -> None:
    some = matcher(crops, tmp_path)
    some.run(some.blocks)
    assert len({block.group for block in some.blocks}) == 3
    assert len(some.blocks) > 6
    expected: list[Compared] = []
    for rows in CLASSES:
        pairs = list(combinations(rows, 2))
        expected.append(compare(pairs, lambda row: some.store.features(NAMES[row]), Affine()))
    expected.append(compare(ALONG, lambda row: some.store.features(NAMES[row]), Affine()))
    whole = joined(expected)
    order = np.lexsort(whole.rows.T)
    assert told(some) == ([getattr(whole, name)[order].tolist() for name in COLUMNS], 15 + 10 + 5)
    linked = {tuple(rows) for rows in whole.rows[whole.scores > 15].tolist()}
    assert {(0, 1), (1, 2), (5, 6)} <= linked
    assert not any(10 in pair for pair in linked)


def test_the_maps_are_those_of_the_photographs(crops: Path, tmp_path: Path) -> None:
    some = matcher(crops, tmp_path)
    some.run(some.blocks)
    found = joined(some.result(block) for block in some.blocks if block.group == 1)
    for (one, two), transform in zip(found.rows.tolist(), found.transforms, strict=True):
        shift = np.array([[1, 0, 12 * (one - two)], [0, 1, 8 * (one - two)], [0, 0, 1.0]])
        np.testing.assert_allclose(transform[:2, :2], shift[:2, :2], atol=0.03)
        np.testing.assert_allclose(transform[:2, 2], shift[:2, 2], atol=3)


def test_goes_on_where_it_ended(crops: Path, tmp_path: Path) -> None:
    first = matcher(crops, tmp_path)
    first.run(first.blocks[:3])
    again = matcher(crops, tmp_path)
    assert again.missing(again.blocks) == again.blocks[3:]
    again.run(again.blocks)
    assert calls(first) + calls(again) == 30
    assert again.missing(again.blocks) == []
    last = matcher(crops, tmp_path)
    last.run(last.blocks)
    assert calls(last) == 0
    assert told(last) == told(again)


def test_a_damaged_block_is_made_again(crops: Path, tmp_path: Path) -> None:
    some = matcher(crops, tmp_path)
    some.run(some.blocks)
    before = told(some)
    file = some.file(some.blocks[1])
    file.write_bytes(file.read_bytes()[:100])
    some.file(some.blocks[-1]).unlink()
    assert some.missing(some.blocks) == [some.blocks[-1]]
    with pytest.raises(UserError, match=r"gone or damaged; give the same command again"):
        some.result(some.blocks[1])
    assert some.missing(some.blocks) == [some.blocks[1], some.blocks[-1]]
    some.run(some.blocks)
    assert told(some) == before


@pytest.mark.parametrize("shortlist", [Everything(), Vocabulary(bound=4, neighbours=2, words=50)], ids=["all", "words"])
def test_threads_and_shares_give_the_same(
    crops: Path, tmp_path: Path, shortlist: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    alone = matcher(crops, tmp_path / "alone", shortlist=shortlist)
    alone.run(alone.blocks)
    threads = matcher(crops, tmp_path / "threads", 3, shortlist=shortlist)
    threads.run(threads.blocks)
    assert told(threads) == told(alone)
    seen = []
    for shard in range(3):
        part = matcher(crops, tmp_path / "shares", shortlist=shortlist)
        own = part.share(shard, 3)
        seen += own
        part.run(own)
    assert sorted(seen) == sorted(alone.blocks)
    merged = matcher(crops, tmp_path / "shares", shortlist=shortlist)
    assert merged.missing(merged.blocks) == []
    assert told(merged) == told(alone)


def test_more_shares_than_blocks(crops: Path, tmp_path: Path) -> None:
    some = matcher(crops, tmp_path)
    shares = [some.share(shard, 50) for shard in range(50)]
    assert sorted(block for share in shares for block in share) == sorted(some.blocks)
    assert [] in shares
    some.run([])


def missing_groups(some: Matcher) -> set[int]:
    return {block.group for block in some.missing(some.blocks)}


def test_photographs_of_another_class_leave_a_class_as_it_is(crops: Path, tmp_path: Path) -> None:
    first = matcher(crops, tmp_path)
    first.run(first.blocks)
    more = matcher(crops, tmp_path, classes=[[*CLASSES[0], 11], CLASSES[1]])
    assert missing_groups(more) == {0}
    # A catalogue in which all rows are others.
    names = ["3-0.png", *NAMES[:-1]]
    later = matcher(crops, tmp_path, classes=[[row + 1 for row in CLASSES[1]]], across=[], names=names)
    assert missing_groups(later) == set()
    rows = joined(later.result(block) for block in later.blocks).rows
    assert (rows - 1).tolist() == joined(first.result(b) for b in first.blocks if b.group == 1).rows.tolist()
    assert len(rows) > 5


def test_other_pairs_across_leave_classes_as_they_are(crops: Path, tmp_path: Path) -> None:
    first = matcher(crops, tmp_path)
    first.run(first.blocks)
    assert missing_groups(matcher(crops, tmp_path, across=[(0, 6), *ALONG[1:]])) == {ACROSS}


def test_other_settings_and_photographs_are_compared_again(crops: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(crops, root)
    first = matcher(root, tmp_path / "cache")
    first.run(first.blocks)
    assert missing_groups(matcher(root, tmp_path / "cache")) == set()
    assert missing_groups(matcher(root, tmp_path / "cache", verification=CountingAffine(0.7))) == {0, 1, ACROSS}
    assert missing_groups(matcher(root, tmp_path / "cache", verification=Affine())) == {0, 1, ACROSS}
    assert missing_groups(matcher(root, tmp_path / "cache", size=160)) == {0, 1, ACROSS}
    picture(99, 200, 160).save(root / NAMES[10])
    assert missing_groups(matcher(root, tmp_path / "cache")) == {0}


def test_a_shortlist_counts_where_a_class_is_large(crops: Path, tmp_path: Path) -> None:
    first = matcher(crops, tmp_path, shortlist=Vocabulary(bound=5, neighbours=2, words=50))
    first.run(first.blocks)
    assert sum(first.result(b).count for b in first.blocks if b.group == 1) == 10
    some = sum(first.result(b).count for b in first.blocks if b.group == 0)
    assert 6 <= some <= 12
    fewer = matcher(crops, tmp_path, shortlist=Vocabulary(bound=5, neighbours=1, words=50))
    assert missing_groups(fewer) == {0}


def test_a_shortlist_is_made_once(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    true = Vocabulary.partners

    def partners(self: Vocabulary, *given: object) -> object:
        asked.append(given[:2])
        return true(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Vocabulary, "partners", partners)
    for _ in range(2):
        some = matcher(crops, tmp_path, shortlist=Vocabulary(bound=5, neighbours=2, words=50))
        some.run(some.blocks)
    ((paths, sample),) = asked
    assert paths == [NAMES[row] for row in CLASSES[0]]
    assert sample[:5] == [NAMES[row] for row in (0, 5, 1, 6, 2)]
    assert sorted(sample) == sorted(NAMES[:11])


def test_photographs_that_cannot_be_read_have_nothing_in_common(crops: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(crops, root)
    (root / NAMES[2]).write_bytes(b"no photograph")
    (root / NAMES[3]).unlink()
    some = matcher(root, tmp_path / "cache", 3)
    some.run(some.blocks)
    found = joined(some.result(block) for block in some.blocks)
    assert found.count == 30
    assert not {2, 3} & set(found.rows.ravel().tolist())


def test_classes_of_one_and_none(crops: Path, tmp_path: Path) -> None:
    some = matcher(crops, tmp_path, classes=[[3], [0, 1]], across=[])
    some.run(some.blocks)
    assert [len(some.result(block)) for block in some.blocks] == [0, 1]
    nothing = matcher(crops, tmp_path, classes=[], across=[])
    nothing.run(nothing.share(0, 1))
    assert nothing.blocks == []


def test_a_cache_that_cannot_be_written(crops: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    some = matcher(crops, tmp_path / "file", 2)
    with pytest.raises(UserError, match="could not be written"):
        some.run(some.blocks)


@pytest.mark.parametrize("lengths", [[3], [2, 0, 4], [0, 0], [1, 1]])
def test_partners_come_back_from_disk(tmp_path: Path, lengths: list[int]) -> None:
    random = np.random.default_rng(0)
    some = [np.sort(random.choice(100, count, replace=False)).astype(np.int64) for count in lengths]
    write_partners(tmp_path / "a.npz", some)
    found = read_partners(tmp_path / "a.npz")
    assert found is not None
    assert [own.tolist() for own in found] == [own.tolist() for own in some]
    assert all(own.dtype == np.int64 for own in found)
    file = tmp_path / "a.npz"
    file.write_bytes(file.read_bytes()[:-30])
    assert read_partners(file) is None
    assert read_partners(tmp_path / "missing.npz") is None


def test_formats_are_told_apart(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = matcher(crops, tmp_path)
    monkeypatch.setattr(matched, "FORMAT", 99)
    other = matcher(crops, tmp_path)
    assert not {first.file(block) for block in first.blocks} & {other.file(block) for block in other.blocks}


def test_of_two_that_make_a_shortlist_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "shortlist.npz"
    first, second = [np.array([1, 2])], [np.array([3])]
    write_partners(path, first)
    write_partners(path, second)
    found = read_partners(path)
    assert found is not None
    assert [part.tolist() for part in found] == [[1, 2]]
    path.write_bytes(b"damaged")
    write_partners(path, second)
    found = read_partners(path)
    assert found is not None
    assert [part.tolist() for part in found] == [[3]]
    assert list(tmp_path.iterdir()) == [path]


def test_a_shortlist_depends_on_the_sample_that_words_are_learned_from(crops: Path, tmp_path: Path) -> None:
    some = matcher(crops, tmp_path, shortlist=Vocabulary(bound=4, neighbours=2, words=50, sample=3))
    more = matcher(crops, tmp_path, shortlist=Vocabulary(bound=4, neighbours=2, words=50, sample=4))
    assert some.file(some.blocks[0]) != more.file(more.blocks[0])
    file = crops / some.paths[some._sample[2]]
    file.write_bytes(file.read_bytes() + b" ")
    other = matcher(crops, tmp_path, shortlist=Vocabulary(bound=4, neighbours=2, words=50, sample=3))
    assert other._words != some._words


def test_small_classes_are_compared_at_once(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of different classes are worked on together: each waits for the other here."""
    some = matcher(crops, tmp_path, 2)
    meeting = threading.Barrier(2, timeout=20)
    groups = {block.group: block for block in some.blocks}
    one, two = [groups[group] for group in sorted(groups) if group != ACROSS][:2]
    monkeypatch.setattr(some, "_work", lambda job: meeting.wait())
    some.run([one, two])
