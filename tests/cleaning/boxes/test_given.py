from __future__ import annotations

from pathlib import Path

import pytest

from deepret.cleaning.boxes.given import Given
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Box
from deepret.errors import UserError


def catalogue(splits: list[str], boxes: list[list[Box]]) -> Catalogue:
    n = len(splits)
    return Catalogue(
        Path("photos"), [f"{i}.jpg" for i in range(n)], ["a"] * n, splits, [(100, 80)] * n, boxes, [False] * n
    )


def test_gives_the_boxes_of_the_data() -> None:
    boxes: list[list[Box]] = [[(1, 2, 30, 40), (5, 6, 7, 8)], [], [(0, 0, 100, 80)]]
    assert Given().boxes(catalogue(["train", "train", "val"], boxes), None) == boxes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("splits", "boxes"), [(["train", "train"], [[], []]), (["train", "val"], [[], [(0.0, 0.0, 5.0, 5.0)]])]
)
def test_refuses_data_whose_train_split_has_none(splits: list[str], boxes: list[list[Box]]) -> None:
    with pytest.raises(UserError, match=r"boxes=given: no train photograph in photos .* boxes=response"):
        Given().boxes(catalogue(splits, boxes), None)  # type: ignore[arg-type]
