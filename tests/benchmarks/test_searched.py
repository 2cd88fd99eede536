from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepret.benchmarks.metrics import average_precision
from deepret.benchmarks.result import score
from deepret.benchmarks.searched import searched
from deepret.benchmarks.standing import most, stand
from deepret.data.photo import Photo
from deepret.search.exact import ExactIndex
from deepret.search.faiss_flat import FaissIndex

Case = tuple[Tensor, Tensor, list[Tensor], list[Tensor]]


def case(seed: int, queries: int, count: int, kinds: int) -> Case:
    """Whole numbers, so that many scores tie, in random classes; a few images are left out of each ranking."""
    random = torch.Generator().manual_seed(seed)
    database = torch.randint(-2, 3, (count, 3), generator=random).float()
    asked = torch.randint(-2, 3, (queries, 3), generator=random).float()
    labels = torch.randint(0, kinds, (count,), generator=random)
    wanted = torch.randint(0, kinds, (queries,), generator=random)
    ignored = torch.rand(queries, count, generator=random) < 0.2
    right = (labels == wanted[:, None]) & ~ignored
    return asked, database, [r.nonzero().flatten() for r in right], [i.nonzero().flatten() for i in ignored]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    queries=st.integers(0, 7),
    count=st.integers(1, 30),
    kinds=st.integers(1, 5),
    k=st.sampled_from([1, 5, 100]),
    pairs=st.sampled_from([1, 40, 2**22]),
    junk=st.booleans(),
)
def test_an_exact_index_gives_what_is_counted_without_one(
    seed: int, queries: int, count: int, kinds: int, k: int, pairs: int, junk: bool
) -> None:
    asked, database, positives, ignored = case(seed, queries, count, kinds)
    left_out = ignored if junk else None
    matter = [torch.cat(pair) for pair in zip(positives, ignored, strict=True)]
    standing = stand(asked, database, matter, most(ignored), k=k)
    other = searched(ExactIndex(), asked, database, matter, most(ignored), k=k, pairs=pairs)
    assert torch.equal(other.lists, standing.lists)
    ranks, found = (s.ranks(positives, left_out) for s in (standing, other))
    assert torch.equal(found.rank, ranks.rank)
    assert torch.equal(found.query, ranks.query)
    assert torch.equal(found.positives, ranks.positives)


def test_faiss_gives_the_same() -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    asked, database, positives, ignored = case(0, 20, 200, 4)
    photos = [Photo(Path(str(i))) for i in range(200)]
    exact, other = (
        score("test", (photos[:20], asked), (photos, database), positives, ignored, index=index)
        for index in (None, FaissIndex())
    )
    assert other.summary() == exact.summary()
    assert torch.equal(other.ranking, exact.ranking)
    assert torch.equal(other.ap, exact.ap)


class Forgetful(ExactIndex):
    """Finds only every other code, as an index that approximates may miss some."""

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        scores, ids = super().search(queries, k)
        return scores, torch.where(ids % 2 == 0, ids, -1)


def test_positives_that_an_index_does_not_find_count_as_missed() -> None:
    database = torch.tensor([[4.0], [3.0], [2.0], [1.0]])
    standing = searched(Forgetful(), torch.ones(1, 1), database, [torch.tensor([1, 2])])
    ranks = standing.ranks([torch.tensor([1, 2])])
    assert standing.lists.tolist() == [[0, 2, -1, -1]]
    assert ranks.rank.tolist() == [1]
    assert ranks.positives.tolist() == [2]
    assert average_precision(ranks).tolist() == [pytest.approx((0 + 1 / 2) / 2 / 2)]
