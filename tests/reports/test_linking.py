"""What is linked at no false link, by hand-made scores and on small folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from noisy import noisy, view

from deepret.errors import UserError
from deepret.reports.linking import best_figures, figures, linking

PAIRS = [(0, 4), (0, 5), (1, 4), (1, 5), (2, 4), (2, 5), (3, 4), (3, 5)]


def test_links_are_counted_above_the_largest_score_of_two_classes() -> None:
    same = np.array([True, False, True, False, False, True, False, True])
    scores = np.array([9.0, 3.0, 5.0, 6.0, 0.0, 7.0, 0.0, 0.0])
    assert figures(scores, same, PAIRS) == {
        "pairs": 4,
        "across": 4,
        "threshold": 6.0,
        "linked": 0.5,
        "photographs": round(4 / 6, 4),
    }
    # The best of the second query is with another class at 6; those of the others are right, the last has none.
    assert best_figures(scores, same, PAIRS) == {"queries": 4, "best": 0.5, "best_threshold": 6.0, "verified": 0.5}


@pytest.mark.slow
def test_a_folder_and_queries(tmp_path: Path) -> None:
    noisy(tmp_path / "photos", classes=3, right=4, wrong=0)
    found = linking(str(tmp_path / "photos"), size=260, cache=str(tmp_path / "cache"))
    assert (found["pairs"], found["across"]) == (3 * 6, 3 * 16)
    assert found["linked"] == found["photographs"] == 1
    lines = ["path,label,split"]
    for label in range(3):
        for number in range(3):
            lines.append(f"thing{label}/{number}.png,thing{label},{'gallery' if number == 0 else 'query'}")
    (tmp_path / "photos" / "images.csv").write_text("\n".join(lines) + "\n")
    asked = linking(str(tmp_path / "photos"), "homography", size=260, cache=str(tmp_path / "cache"))
    assert (asked["pairs"], asked["across"], asked["queries"]) == (6, 12, 6)
    assert asked["best"] == asked["verified"] == 1


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "photos" / "one").mkdir(parents=True, exist_ok=True)
        view(1, number)[0].save(tmp_path / "photos" / "one" / f"{number}.png")
    with pytest.raises(UserError, match="different ones"):
        linking(str(tmp_path / "photos"), cache=str(tmp_path / "cache"))


def test_a_folder_that_is_not_there_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^root=.*photos: there is no such folder"):
        linking(str(tmp_path / "photos"))
