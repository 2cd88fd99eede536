"""Each wanted pair is in one block, and pairs across are of different classes, none twice."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepret.cleaning.pairs import plan
from deepret.cleaning.pairs.plan import (
    ACROSS,
    BLOCK,
    CERTAIN,
    TOGETHER,
    Block,
    Plan,
    draw_across,
    rate_of_pairs,
    wanted_across,
)


def classes_of(sizes: list[int]) -> list[list[int]]:
    """Rows of classes, not one after the other."""
    rows = np.random.default_rng(0).permutation(sum(sizes)).tolist()
    return [sorted(rows[sum(sizes[:i]) : sum(sizes[: i + 1])]) for i in range(len(sizes))]


def test_all_pairs_of_each_class_once() -> None:
    some = Plan(classes_of([2, 3, 40, 1]), [])
    blocks = some.blocks(lambda n: None)
    for group, rows in enumerate(some.classes):
        own = [pair for block in blocks if block.group == group for pair in some.pairs(block, None)]
        assert sorted(own) == sorted(combinations(rows, 2))


@settings(max_examples=40)
@given(st.data(), st.integers(2, 9))
def test_with_partners_each_wanted_pair_once(data: st.DataObject, count: int) -> None:
    rows = [3 * i + 1 for i in range(count)]
    wanted = [
        data.draw(st.lists(st.integers(0, count - 1).filter(lambda j, i=i: j != i), unique=True, max_size=count))
        for i in range(count)
    ]
    partners = [np.array(sorted(own), np.int64) for own in wanted]
    expected = {frozenset((rows[i], rows[j])) for i in range(count) for j in wanted[i]}
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1), max_size=3)))
    blocks = [Block(0, a, b) for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    found = [pair for block in blocks for pair in Plan([rows], []).pairs(block, partners)]
    assert Counter(map(frozenset, found)) == Counter(expected)
    assert all(one < two for one, two in found)


@given(st.lists(st.integers(1, 90), max_size=5), st.integers(0, 450), st.sampled_from([None, 1, 7, 50, 400]))
def test_blocks_cover_all_once_and_are_some_seconds_of_work(sizes: list[int], across: int, some: int | None) -> None:
    found = Plan(classes_of(sizes), [(0, 1)] * across).blocks(lambda n: some)
    for group, size in enumerate(sizes):
        own = [block for block in found if block.group == group]
        assert [i for block in own for i in range(block.start, block.stop)] == list(range(size))
        most = max(size, some or 0)
        for block in own:
            work = sum(size - 1 - i if some is None else some for i in range(block.start, block.stop))
            assert work < BLOCK + most
            assert work >= BLOCK or block.stop == size
    last = [block for block in found if block.group == ACROSS]
    assert [i for block in last for i in range(block.start, block.stop)] == list(range(across))
    assert all(0 < block.stop - block.start <= BLOCK for block in last)
    groups = [block.group for block in found]
    assert groups == sorted(groups, key=lambda g: len(sizes) if g == ACROSS else g)


def test_a_class_is_asked_for_its_own_size() -> None:
    asked = []
    Plan(classes_of([5, 9]), []).blocks(lambda n: asked.append(n))
    assert asked == [5, 9]


def test_pairs_across_are_cut_into_blocks() -> None:
    across = [(i, i + 1000) for i in range(450)]
    some = Plan([], across)
    assert [pair for block in some.blocks(lambda n: None) for pair in some.pairs(block, None)] == across


@given(st.lists(st.integers(1, 12), max_size=9), st.integers(1, 200), st.integers(0, 5))
def test_pairs_across_are_of_different_classes_none_twice(sizes: list[int], count: int, seed: int) -> None:
    classes = classes_of(sizes)
    class_of = {row: i for i, rows in enumerate(classes) for row in rows}
    found = draw_across(classes, count, seed)
    assert found == draw_across(classes, count, seed)
    assert found == sorted(set(found))
    assert all(one < two and class_of[one] != class_of[two] for one, two in found)
    possible = sum(a * b for a, b in combinations(sizes, 2))
    assert min(1, possible) <= len(found) <= min(count, possible)
    if possible and count >= possible * len(sizes):
        assert len(found) == possible


@pytest.mark.parametrize("seed", range(5))
def test_as_many_as_asked_several_of_each_two_classes(seed: int) -> None:
    classes = classes_of([10] * 40)
    class_of = {row: i for i, rows in enumerate(classes) for row in rows}
    found = draw_across(classes, 300, seed)
    assert len(found) == 300
    each = Counter(frozenset((class_of[one], class_of[two])) for one, two in found)
    assert max(each.values()) == TOGETHER
    assert np.mean(list(each.values())) > TOGETHER - 1
    assert len({class_of[row] for pair in found for row in pair}) > 30
    assert found != draw_across(classes, 300, seed + 1)


def test_few_classes_give_more_of_each_two() -> None:
    found = draw_across(classes_of([30, 30, 30]), 600, 0)
    assert len(found) == 600
    assert len(draw_across(classes_of([30, 30]), 600, 0)) == 600


def test_tiny_sets() -> None:
    assert draw_across([], 10, 0) == []
    assert draw_across([[0, 1, 2]], 10, 0) == []
    assert draw_across([[4], [1]], 10, 0) == [(1, 4)]
    assert draw_across([[0, 1], [2, 3]], 0, 0) == []
    assert draw_across([[0, 1], [2, 3]], 1, 3) == draw_across([[0, 1], [2, 3]], 1, 3)
    assert len(draw_across([[0, 1], [2, 3]], 1, 3)) == 1


def test_a_large_set_is_drawn_from_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by listing all pairs of classes."""
    monkeypatch.setattr(plan, "combinations", None)
    assert len(draw_across([[2 * i, 2 * i + 1] for i in range(20000)], 100, 0)) > 60


def test_rates() -> None:
    assert rate_of_pairs(0.01, 50) == pytest.approx(0.0002)
    assert rate_of_pairs(0.5, 0) == 0.5
    assert wanted_across([0.01, 0.001], 20000) == CERTAIN * 1000
    assert wanted_across([0.01, 0.001], 300) == 300
    assert wanted_across([], 300) == 0
