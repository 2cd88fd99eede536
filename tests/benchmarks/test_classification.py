from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.benchmarks.classification import Classification, linear_classes
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.search.objects import ObjectIndex


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


def describing(codes: Tensor):
    """Gives image i the i-th of a table's codes, or sets."""

    def describe(photos: Sequence[Photo]) -> Tensor:
        return codes[[int(photo.path.stem) for photo in photos]]

    return describe


def codes_of(rows: Sequence[tuple[str, str]], objects: int, spread: float, dim: int = 8) -> Tensor:
    """Codes around a direction of each class, and sets of them."""
    generator = torch.Generator().manual_seed(0)
    names = sorted({label for label, _ in rows})
    centres = torch.randn(len(names), objects, dim, generator=generator)
    table = torch.stack([centres[names.index(label)] for label, _ in rows])
    table = F.normalize(table + spread * torch.randn(table.shape, generator=generator), dim=2)
    return table[:, 0] if objects == 1 else table


def slow_class(query: Tensor, known: dict[str, list[Tensor]]) -> str:
    """The class with the largest mean, over the query's objects, of the best match with any object of its images."""
    best, found = -2.0, ""
    for label in sorted(known):
        total = 0.0
        for x in query:
            total += max(float(x @ y) for image in known[label] for y in image)
        if total / len(query) > best + 1e-9:
            best, found = total / len(query), label
    return found


ROWS = [(f"thing{i % 5}", "test") for i in range(33)] + [("alone", "test"), ("", "test"), ("thing1", "train")]


@pytest.mark.parametrize("objects", [1, 3])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_each_query_has_the_class_that_a_plain_loop_finds(objects: int, share: float) -> None:
    codes = codes_of(ROWS, objects, spread=1.5)
    benchmark = Classification(catalogue(ROWS), share=share, linear=None, index=ObjectIndex)
    known, asked, left_out = benchmark.rows()
    result = benchmark.evaluate(describing(codes))
    table = codes if codes.ndim == 3 else codes[:, None]
    classes: dict[str, list[Tensor]] = {}
    for i in known:
        classes.setdefault(ROWS[i][0], []).append(table[i])
    right = [slow_class(table[i], classes) == ROWS[i][0] for i in asked]
    assert 0 < sum(right) < len(right)
    assert result.ap.tolist() == [float(r) for r in right]
    assert result.metrics == {"accuracy": pytest.approx(sum(right) / len(right))}
    assert result.main == "accuracy"
    assert result.counts == {"queries": len(asked), "database": len(known), "classes": 5, "left_out": left_out}
    first = [result.database[place].path.stem for place in result.ranking[:, 0].tolist()]
    assert [ROWS[int(stem)][0] == ROWS[i][0] for stem, i in zip(first, asked, strict=True)] == right


@pytest.mark.parametrize(("share", "of_seven"), [(0.01, 1), (0.5, 4), (0.99, 6)])
def test_a_share_of_each_class_is_known_and_the_rest_asks(share: float, of_seven: int) -> None:
    known, asked, left_out = Classification(catalogue(ROWS), share=share).rows()
    assert known == sorted({*known})
    assert sorted(known + asked) == [i for i in range(33)]
    assert Counter(ROWS[i][0] for i in known)["thing0"] == of_seven
    assert left_out == 2  # one is alone, one has no label
    assert (known, asked, left_out) == Classification(catalogue(ROWS), share=share).rows()
    assert share != 0.5 or known != Classification(catalogue(ROWS), share=share, seed=1).rows()[0]


def test_where_there_are_query_and_gallery_the_gallery_is_known() -> None:
    rows = [("a", "gallery"), ("b", "gallery"), ("a", "query"), ("b", "query"), ("c", "query"), ("d", "gallery")]
    benchmark = Classification(catalogue(rows))
    assert benchmark.rows() == ([0, 1], [2, 3], 2)
    result = benchmark.evaluate(describing(codes_of(rows, 2, spread=0.01)))
    assert result.metrics == {"accuracy": 1.0, "linear accuracy": 1.0}


def test_val_says_so() -> None:
    rows = [(f"thing{i % 2}", "val") for i in range(8)]
    result = Classification(catalogue(rows), split="val").evaluate(describing(codes_of(rows, 1, spread=0.01)))
    assert result.benchmark == "classification (val)"
    assert result.metrics["accuracy"] == 1


def test_the_linear_classifier_is_that_of_the_sums_of_objects() -> None:
    rows = [(f"thing{i % 3}", "test") for i in range(60)]
    sets, classes = codes_of(rows, 3, spread=0.6), torch.arange(60) % 3
    sets[:20, 2] = 0  # absent
    sums = F.normalize(sets.sum(dim=1), dim=1)
    found = linear_classes(sets[:30], classes[:30], sets[30:], cost=10.0)
    assert torch.equal(found, linear_classes(sums[:30], classes[:30], sums[30:], cost=10.0))
    assert (found == classes[30:]).double().mean() > 0.8


def test_too_few_classes_are_refused() -> None:
    rows = [("a", "test"), ("a", "test"), ("b", "test"), ("", "test")]
    with pytest.raises(
        UserError, match=r"nowhere has 1 classes with two photographs of split 'test'.*benchmark\.split=val"
    ):
        Classification(catalogue(rows)).evaluate(describing(torch.ones(4, 2)))
