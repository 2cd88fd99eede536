from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from deepret.cleaning.cleaned import kind
from deepret.cleaning.pairs.threshold import Threshold
from deepret.cleaning.stages import Cleaned
from deepret.data.listing import Row
from deepret.reports.cleaning import figures

Make = Callable[..., Cleaned]


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("copy of a/b.jpg", "copy of another"),
        ("its group has 2 photographs, the largest of its class 9", "in a smaller group than the largest of its class"),
        ("it cannot be read: it is no image that Pillow knows", "it cannot be read"),
        ("fewer than 2 verified pairs with others that have as many", "too few verified pairs"),
        ("no local features in it", "no local features in it"),
        ("the only photograph of its class", "the only photograph of its class"),
    ],
)
def test_reasons_of_one_kind_are_counted_together(reason: str, name: str) -> None:
    assert kind(reason) == name


def test_reasons_are_listed_the_most_first(made: Make) -> None:
    found = made({"a": (7, 1, []), "b": (3, 0, [])}, reasons=["copy of x", "copy of y", "else"], photographs=False)
    listed, others = figures.reasons(found)
    assert [(bar.name, bar.value) for bar in listed] == [("copy of another", "6"), ("else", "3")]
    assert [bar.share for bar in listed] == [1.0, 0.5]
    assert others == 0


def test_reasons_beyond_those_that_are_listed_are_counted(made: Make) -> None:
    found = made({"a": (30, 0, [])}, reasons=[f"r{i:02}" for i in range(30)], photographs=False)
    listed, others = figures.reasons(found)
    assert [bar.name for bar in listed] == [f"r{i:02}" for i in range(figures.MOST_KINDS)]
    assert others == 30 - figures.MOST_KINDS


def test_classes_that_lose_the_largest_share_come_first_then_by_name(made: Make) -> None:
    classes = {"c": (10, 5, []), "a": (4, 2, []), "b": (100, 90, []), "d": (2, 0, [])}
    found = made(classes, photographs=False)
    assert [found.classes[i].label for i in figures.order(found.classes)] == ["d", "a", "c", "b"]


def test_a_threshold_that_too_few_pairs_show_is_called_an_estimate(made: Make) -> None:
    def remark(threshold: Threshold | None) -> str:
        found = made({"a": (2, 2, [(0, 1)])}, threshold=threshold, photographs=False)
        return {name: why for name, _, why in figures.head(found)}["threshold"]

    assert remark(Threshold(np.zeros(1000), [])) == "read off pairs across"
    assert remark(Threshold(np.zeros(999), [])) == "estimated: few pairs across"
    assert remark(None) == "not read off pairs across"


def test_the_least_threshold_is_called_so(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made({"a": (2, 2, [(0, 1)])}, threshold=Threshold(np.zeros(1000), []), photographs=False)
    monkeypatch.setattr(figures, "FLOOR", found.classes[0].threshold)
    assert {name: why for name, _, why in figures.head(found)}["threshold"].startswith("the least that is taken")


def test_thresholds_are_said_from_where_to_where(made: Make) -> None:
    found = made({"a": (2, 2, [(0, 1)]), "b": (1, 0, [])}, photographs=False)
    assert figures.threshold_words(found.classes) == "20.0"
    object.__setattr__(found.classes[1], "threshold", 99.0)
    assert figures.threshold_words(found.classes) == "20.0"  # a single photograph has no pairs
    object.__setattr__(found.classes[0], "threshold", 18.25)
    found.classes.append(made({"c": (2, 2, [])}, photographs=False).classes[0])
    assert figures.threshold_words(found.classes) == "18.2 … 20.0"


def test_photographs_that_were_left_out_are_counted_among_the_dropped(made: Make) -> None:
    found = made({"a": (4, 2, [(0, 1)])}, reasons=["copy of x", "no label"], photographs=False)
    left_out = [
        (Row("b/1.jpg", "b", "val"), "the file is empty"),
        *[(Row(f"{i}.jpg", "", ""), "no label") for i in "12"],
    ]
    head = {name: (value, why) for name, value, why in figures.head(found, left_out)}
    assert head["photographs"][0] == "7"
    assert head["kept"] == ("2", "28.6 %")
    assert head["dropped"] == ("5", "71.4 %")
    listed, _ = figures.reasons(found, left_out)
    assert [(bar.name, bar.value) for bar in listed] == [
        ("no label", "3"),
        ("copy of another", "1"),
        ("the file is empty", "1"),
    ]


def test_links_between_classes_are_above_the_thresholds_of_both(made: Make) -> None:
    threshold = Threshold(np.zeros(2000), [(0, 1)])  # at any rate it is 0, lower than classes' thresholds may be
    found = made(
        {"a": (3, 3, []), "b": (3, 3, [])},
        across=([(0, 3), (4, 1), (2, 5)], 9),
        threshold=threshold,
        photographs=False,
    )
    score = float(found.across.scores[0])
    for a, b, links in [(0.0, 0.0, 3), (score - 1, 0.0, 3), (score, 0.0, 0), (0.0, score + 1, 0)]:
        for one, value in zip(found.classes, (a, b), strict=True):
            object.__setattr__(one, "threshold", value)
        assert figures.same(found) == ([figures.Same(0, 1, links)], 0)
