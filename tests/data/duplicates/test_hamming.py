"""Close pairs are those of a comparison bit by bit, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepret.data.duplicates import hamming
from deepret.data.duplicates.hamming import close_pairs


def rows(count: int, seed: int, like: np.ndarray | None = None) -> np.ndarray:
    """Packed bits, random or those given with a few changed."""
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2, (count, 64), dtype=np.uint8)
    if like is not None and len(like):
        bits = np.unpackbits(like, axis=1)[random.integers(0, len(like), count)] ^ (random.random((count, 64)) < 0.1)
    return np.packbits(bits.astype(np.uint8), axis=1)


def slow_pairs(first: np.ndarray, second: np.ndarray | None, limit: int) -> list[list[int]]:
    """By integers, one pair after the other."""
    other = first if second is None else second
    found = []
    for i, one in enumerate(first):
        for j, two in enumerate(other):
            apart = (int.from_bytes(one.tobytes(), "big") ^ int.from_bytes(two.tobytes(), "big")).bit_count()
            if apart <= limit and (second is not None or i < j):
                found.append([i, j, apart])
    return found


@given(n=st.integers(0, 30), m=st.integers(0, 30), limit=st.integers(0, 30), seed=st.integers(0, 999))
def test_pairs_are_the_slow_ones(n: int, m: int, limit: int, seed: int) -> None:
    first = rows(n, seed)
    second = rows(m, seed + 1, first)
    assert close_pairs(first, second, limit).tolist() == slow_pairs(first, second, limit)
    turned = close_pairs(second, first, limit).tolist()
    assert sorted([j, i, d] for i, j, d in turned) == slow_pairs(first, second, limit)


@pytest.mark.parametrize("same", [True, False])
def test_blocks_leave_nothing_out(monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    first = rows(50, 0, rows(9, 1))
    second = None if same else rows(33, 2, first)
    wanted = slow_pairs(first, second, 12)
    assert wanted
    for size in [(1, 1), (7, 5), (4, 16), (50, 50)]:
        monkeypatch.setattr(hamming, "ROWS", size[0])
        monkeypatch.setattr(hamming, "COLUMNS", size[1])
        monkeypatch.setattr(hamming, "BAND", 3 * size[0])
        assert close_pairs(first, second, 12).tolist() == wanted


def test_of_too_many_the_nearest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "MOST", 20)
    monkeypatch.setattr(hamming, "BAND", 4)
    first = rows(40, 0, rows(4, 1))
    every = sorted(apart for *_, apart in slow_pairs(first, None, 40))
    assert len(every) > 60
    assert sorted(close_pairs(first, None, 40)[:, 2].tolist()) == every[:20]


def test_how_long_it_takes_is_said_where_that_is_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hamming, "BAND", 10)
    close_pairs(rows(40, 0), rows(30, 1), 3)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(hamming, "LONG", 1199)
    close_pairs(rows(40, 0), rows(30, 1), 3)
    assert capsys.readouterr().out == "comparing 40 photographs with 30, which takes 0 more minutes or so\n"
