from __future__ import annotations

import re

import numpy as np
import pytest

from deepret.reports.cleaning.histogram import BINS, histogram, outline


def test_without_pairs_there_is_none() -> None:
    assert histogram({"a": np.zeros(0)}, {"a": 0}, (10.0, 10.0), "") is None


def test_bars_stand_where_the_scores_are() -> None:
    drawn = histogram({"a": np.array([15.0] * 100 + [99.9])}, {"a": 1}, (20.0, 50.0), "t")
    assert drawn is not None
    path = dict(drawn.series)["a"]
    points, x = [], 0.0
    for command, value in re.findall(r"([VH])([\d.]+)", path):
        x = float(value) if command == "H" else x
        points.append((command, float(value)))
    tops = [value for command, value in points if command == "V"][:BINS]
    ticks = dict((text, place) for place, text in drawn.y)
    high = [i for i, top in enumerate(tops) if top < drawn.foot]
    assert high == [7, 49]  # of 50 bins of two: 14…16, and 98…100
    assert tops[7] == pytest.approx(ticks["100"], abs=0.2)
    assert tops[49] == pytest.approx(ticks["1"], abs=0.2)
    one = ticks["1"] - ticks["10"]
    assert ticks["10"] - ticks["100"] == pytest.approx(one, abs=0.2)  # logarithmic
    place = {text: x for x, text in drawn.x}
    assert drawn.thresholds[0] == pytest.approx(place["20"], abs=0.2)
    assert drawn.thresholds[1] == pytest.approx((place["40"] + place["60"]) / 2, abs=0.2)
    (name, _, top, _, height) = drawn.none[0]
    assert name == "a"
    assert top == pytest.approx(ticks["1"], abs=0.2)
    assert top + height == pytest.approx(drawn.foot, abs=0.2)


def test_a_threshold_beyond_all_scores_is_within_the_drawing() -> None:
    drawn = histogram({"a": np.array([1.0])}, {"a": 0}, (80.0, 80.0), "t")
    assert drawn is not None
    assert drawn.start < drawn.thresholds[0] <= drawn.right
    drawn = histogram({"a": np.zeros(0)}, {"a": 7}, (0.0, 0.0), "t")
    assert drawn is not None
    assert all(np.isfinite(x) for x, _ in drawn.x)


def test_an_outline_is_closed_at_the_foot() -> None:
    assert outline([3, 0], [0.0, 10.0, 20.0], lambda count: 100 - count) == "M0 100V97H10V100H20V100Z"
