from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from deepret.benchmarks.split import Split
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Photo
from deepret.errors import UserError


def catalogue(rows: Sequence[tuple[str, str]]) -> Catalogue:
    """A catalogue of (label, split) rows, in which image i is called i.jpg; nothing is on disk."""
    count = len(rows)
    return Catalogue(
        root=Path("/nowhere"),
        paths=[f"{i}.jpg" for i in range(count)],
        labels=[label for label, _ in rows],
        splits=[split for _, split in rows],
        sizes=[(64, 48)] * count,
        boxes=[[] for _ in range(count)],
        views=[False] * count,
    )


class Describe:
    """Gives image i the i-th row of a table and keeps what it was asked for."""

    def __init__(self, codes: torch.Tensor) -> None:
        self.codes, self.asked = codes, []

    def __call__(self, photos: Sequence[Photo]) -> torch.Tensor:
        numbers = [int(photo.path.stem) for photo in photos]
        self.asked.append(numbers)
        return self.codes[numbers]


def slow_map(codes: torch.Tensor, rows: Sequence[tuple[str, str]], asked: list[int], ranked: list[int]) -> float:
    """Sorts every ranking in full, the query removed; precisions are averaged as trapezoids."""
    aps = []
    for q in asked:
        others = [i for i in ranked if i != q]
        right = [
            rows[i][0] == rows[q][0] and rows[i][0] != "" for i in sorted(others, key=lambda i: -codes[q] @ codes[i])
        ]
        places = [r for r, yes in enumerate(right) if yes]
        if places:
            terms = [((j / r if r else 1) + (j + 1) / (r + 1)) / 2 for j, r in enumerate(places)]
            aps.append(sum(terms) / len(terms))
    return sum(aps) / len(aps)


ROWS = [
    *[("abbey", "test"), ("bridge", "test"), ("abbey", "test"), ("bridge", "test"), ("abbey", "test")],
    *[("alone", "test"), ("", "test"), ("", "test")],
    *[("castle", "val"), ("castle", "val"), ("abbey", "train"), ("", "distractor"), ("", "distractor")],
]


def random_codes(count: int, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 8))


def test_leaves_one_out_among_the_split_and_the_distractors() -> None:
    describe = Describe(random_codes(len(ROWS)))
    found = Split(catalogue(ROWS)).evaluate(describe)
    assert describe.asked == [[0, 1, 2, 3, 4, 5, 6, 7, 11, 12]]  # each once; train and val stay out
    assert [photo.path.name for photo in found.queries] == [f"{i}.jpg" for i in range(5)]
    assert found.relevant == [{2, 4}, {3}, {0, 4}, {1}, {0, 2}]
    assert found.counts == {"queries": 5, "database": 10, "distractors": 2, "left_out": 3}
    for query in range(5):  # no query finds itself
        assert sorted(found.ranking[query].tolist()) == [-1, *(i for i in range(10) if i != query)]
    wanted = slow_map(describe.codes, ROWS, list(range(5)), [*range(8), 11, 12])
    assert found.metrics["mAP"] == pytest.approx(wanted, abs=1e-6)
    assert found.benchmark == "split"


def test_distractors_can_be_left_out() -> None:
    describe = Describe(random_codes(len(ROWS)))
    found = Split(catalogue(ROWS), distractors=False, recalls=[1, 2]).evaluate(describe)
    assert found.counts["database"] == 8
    assert found.counts["distractors"] == 0
    assert found.metrics["mAP"] == pytest.approx(
        slow_map(describe.codes, ROWS, list(range(5)), list(range(8))), abs=1e-6
    )
    assert list(found.metrics) == ["mAP", "recall@1", "recall@2"]


def test_the_val_split_is_asked_for_by_name_and_says_so() -> None:
    found = Split(catalogue(ROWS), split="val").evaluate(Describe(random_codes(len(ROWS))))
    assert found.benchmark == "split (val)"
    assert [photo.path.name for photo in found.queries] == ["8.jpg", "9.jpg"]


def test_queries_search_the_gallery_where_there_are_both() -> None:
    rows = [("a", "gallery"), ("b", "gallery"), ("a", "query"), ("c", "query"), ("b", "query"), ("", "distractor")]
    rows += [("a", "test"), ("a", "test"), ("v", "val"), ("v", "val")]
    describe = Describe(random_codes(len(rows)))
    found = Split(catalogue(rows)).evaluate(describe)
    assert describe.asked == [[0, 1, 5], [2, 4]]
    assert found.relevant == [{0}, {1}]
    assert found.counts == {"queries": 2, "database": 3, "distractors": 1, "left_out": 1}
    assert found.ranking.shape == (2, 3)
    assert found.metrics["mAP"] == pytest.approx(slow_map(describe.codes, rows, [2, 4], [0, 1, 5]), abs=1e-6)
    assert Split(catalogue(rows), split="val").evaluate(describe).counts["queries"] == 2


def test_perfect_codes_score_one() -> None:
    rows = [(str(i // 3), "test") for i in range(30)]
    codes = torch.nn.functional.one_hot(torch.arange(30) // 3).float()
    assert Split(catalogue(rows)).evaluate(Describe(codes)).metrics == {
        "mAP": 1.0,
        "recall@1": 1.0,
        "recall@5": 1.0,
        "recall@10": 1.0,
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "train"), ("a", "train")], r"no images of split 'test' \(it has: train \(2\)\).*images.csv"),
        ([("a", "test"), ("b", "test"), ("", "test")], "no image of split 'test' .* has the label of another"),
        ([("", "test"), ("", "test")], "give labels"),
        ([("a", "query"), ("b", "gallery")], "no image of split 'query' .* an image of split gallery"),
        ([("a", "query"), ("a", "query")], "no images of split 'test'"),
    ],
)
def test_a_split_with_nothing_to_find_is_refused_before_anything_is_described(
    rows: list[tuple[str, str]], message: str
) -> None:
    describe = Describe(random_codes(len(rows)))
    with pytest.raises(UserError, match=message):
        Split(catalogue(rows)).evaluate(describe)
    assert not describe.asked
