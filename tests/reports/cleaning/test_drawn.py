from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deepret.cleaning.stages import Cleaned
from deepret.reports.cleaning.drawn import MOST, chosen, draw, lines, rectangle

Make = Callable[..., Cleaned]


def test_of_large_classes_both_kept_and_dropped_are_drawn(made: Make) -> None:
    def counts(size: int, kept: int) -> tuple[int, int]:
        one = made({"a": (size, kept, [])}, photographs=False).classes[0]
        rows = chosen(one)
        assert len(set(rows)) == len(rows) <= MOST
        some = [row in one.labels for row in rows]
        assert some == sorted(some, reverse=True)  # kept ones first
        return sum(some), len(some) - sum(some)

    assert counts(10, 4) == (4, 6)
    assert counts(200, 100) == (MOST // 2, MOST // 2)
    assert counts(200, 5) == (5, MOST - 5)
    assert counts(200, 195) == (MOST - 5, 5)
    assert counts(200, 200) == (MOST, 0)


def test_those_with_the_most_links_are_drawn(made: Make) -> None:
    links = [(10, i) for i in range(11, 80)] + [(99, 98), (99, 97)]
    one = made({"a": (100, 90, links)}, photographs=False).classes[0]
    rows = chosen(one)
    assert rows[0] == 10
    assert rows[MOST - 10] == 99
    assert set(rows[MOST - 10 :]) == set(range(90, 100))


def test_what_is_not_drawn_is_counted(made: Make) -> None:
    found = made({"a": (100, 60, [(0, 1), (0, 59), (0, 99)])}, photographs=False)
    one = found.classes[0]
    rows = chosen(one)[:50]
    drawn = draw(found, one, rows, dict.fromkeys(rows, (160, 80)), Path("out"))
    assert (drawn.kept, drawn.dropped) == (30, 20)
    assert len(drawn.pictures) == len(drawn.places) == 50


def test_a_new_label_is_said_where_it_is_another(made: Make) -> None:
    found = made({"a": (3, 2, [(0, 1)])}, reasons=["why"], photographs=False)
    found.classes[0].labels[1] = "a.2"
    drawn = draw(found, found.classes[0], [0, 1, 2], dict.fromkeys(range(3), (160, 80)), Path("out"))
    assert [picture.label for picture in drawn.pictures] == ["", "a.2", "why"]
    assert [picture.first is None for picture in drawn.pictures] == [False, False, True]


def test_pairs_with_more_inliers_have_wider_lines() -> None:
    places = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    found = lines(places, [(0, 1), (1, 2), (0, 2)], [4, 400, 100000])
    assert found == [(0.5, "M0 0L10 0"), (4.0, "M10 0L0 10"), (6.0, "M0 0L0 10")]


def test_no_box_is_no_rectangle() -> None:
    assert rectangle(np.array([1.0, 2.0, 4.0, 9.0])) == (1.0, 2.0, 3.0, 7.0)
    assert rectangle(np.array([1.0, np.nan, 4.0, 9.0])) is None
