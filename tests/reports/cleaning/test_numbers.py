from __future__ import annotations

import pytest

from deepret.reports.cleaning.numbers import counted, duration, percent, short


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_share_of_nothing_is_a_dash() -> None:
    assert percent(1, 3) == "33.3 %"
    assert percent(0, 0) == "–"


def test_one_is_no_plural() -> None:
    assert [counted(n, "link") for n in (0, 1, 1234)] == ["0 links", "1 link", "1,234 links"]


def test_powers_of_ten() -> None:
    assert [short(i) for i in range(8)] == ["1", "10", "100", "1k", "10k", "100k", "1M", "10M"]
