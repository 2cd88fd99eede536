"""Tentative matches against all distances, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from cleaning.made import descriptors, features
from hypothesis import given, settings
from hypothesis import strategies as st

from deepret.cleaning.verification.tentative import tentative, unit


def slow(first: np.ndarray, second: np.ndarray, ratio: float) -> list[tuple[int, int]]:
    """Mutual nearest neighbours that pass the ratio test, by a double loop."""
    a = [d / np.linalg.norm(d) for d in first.astype(float)]
    b = [d / np.linalg.norm(d) for d in second.astype(float)]
    away = [[float(np.linalg.norm(x - y)) for y in b] for x in a]
    found = []
    for i, row in enumerate(away):
        order = sorted(range(len(b)), key=row.__getitem__)
        back = min(range(len(a)), key=lambda k: away[k][order[0]])
        if back == i and row[order[0]] < ratio * row[order[1]]:
            found.append((i, order[0]))
    return found


def found(first: np.ndarray, second: np.ndarray, ratio: float) -> list[tuple[int, int]]:
    rows = tentative(features(np.zeros((len(first), 2)), first), features(np.zeros((len(second), 2)), second), ratio)
    assert rows.dtype == np.int64
    assert rows.shape == (len(rows), 2)
    return [(i, j) for i, j in rows.tolist()]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.6, 0.75, 0.9, 1.0]))
def test_as_a_double_loop(seed: int, n: int, m: int, ratio: float) -> None:
    random = np.random.default_rng(seed)
    first, second = descriptors(n, seed), descriptors(m, seed + 1)
    for j in range(min(n, m)):  # some are the same but for noise
        if random.random() < 0.6:
            noisy = first[random.integers(n)] + random.normal(0, random.choice([5, 40, 80]), 128)
            second[j] = noisy.clip(0, 255).astype(np.uint8)
    assert found(first, second, ratio) == (slow(first, second, ratio) if n and m > 1 else [])


def test_length_does_not_count() -> None:
    first = descriptors(20) // 2
    assert found(first, first[::-1] * 2, 0.75) == [(i, 19 - i) for i in range(20)]


def test_what_is_there_twice_is_no_match() -> None:
    one = descriptors(10)
    assert found(one, np.concatenate([one, one[:4], descriptors(50, 1)]), 0.75) == [(i, i) for i in range(4, 10)]


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 5), (5, 0), (5, 1)])
def test_none_where_there_is_no_next_nearest(n: int, m: int) -> None:
    assert found(descriptors(n), descriptors(m), 0.75) == []


def test_unit_is_of_length_one_and_zeros_stay() -> None:
    some = descriptors(5)
    some[2] = 0
    lengths = unit(features(np.zeros((5, 2)), some)).norm(dim=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 1, 1], atol=1e-6)
