"""Where images stand: the same as in a full sort, by blocks, with ties and junk, and in other people's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from benchmarks.walks import average_precision as walked_precision
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepret.benchmarks.metrics import Ranks, average_precision, recall_at
from deepret.benchmarks.searched import searched
from deepret.benchmarks.standing import most, stand
from deepret.search.exact import ExactIndex


def rank(
    queries: Tensor, database: Tensor, positives: Sequence[Tensor], ignored: Sequence[Tensor] | None = None, **how: Any
) -> tuple[Ranks, Tensor]:
    """The ranks of the positives and the first k of each ranking, junk taken out."""
    matter = positives if ignored is None else [torch.cat(pair) for pair in zip(positives, ignored, strict=True)]
    standing = stand(queries, database, matter, most(ignored), **how)
    return standing.ranks(positives, ignored), standing.first(how.get("k", 100), ignored)


def slow_ranking(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


@st.composite
def searches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, list[set[int]], list[set[int]], int, int, int]:
    """Codes of whole numbers, which tie, with disjoint positives and junk; a length of lists and sizes of blocks."""
    count, asked, seed = draw(st.integers(1, 25)), draw(st.integers(1, 6)), draw(st.integers(0, 10**6))
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(-1, 2, (asked + count, 3), generator=generator).float()
    kind = torch.randint(0, 3, (asked, count), generator=generator)
    positives = [set(torch.nonzero(row == 1).flatten().tolist()) for row in kind]
    ignored = [set(torch.nonzero(row == 2).flatten().tolist()) for row in kind]
    sizes = (draw(st.integers(1, 30)), draw(st.integers(1, 100)), draw(st.integers(1, 30)))
    return codes[:asked], codes[asked:], positives, ignored, *sizes


def tables(sets: list[set[int]]) -> list[torch.Tensor]:
    return [torch.tensor(sorted(s)).long() for s in sets]


@given(searches())
def test_ranks_and_lists_equal_a_full_sort_with_ties_junk_and_any_blocks(search: tuple) -> None:
    queries, database, positives, ignored, k, pairs, block = search
    ranks, lists = rank(queries, database, tables(positives), tables(ignored), k=k, pairs=pairs, block=block)
    aps = average_precision(ranks)
    assert ranks.positives.tolist() == [len(p) for p in positives]
    for q, scores in enumerate((queries @ database.T).tolist()):
        ranking = slow_ranking(scores)
        cleaned = [i for i in ranking if i not in ignored[q]]
        assert ranks.rank[ranks.query == q].tolist() == [r for r, i in enumerate(cleaned) if i in positives[q]]
        assert lists[q].tolist() == (cleaned + [-1] * len(ranking))[: lists.shape[1]]
        assert lists.shape[1] >= min(k, len(cleaned))
        if positives[q]:
            assert float(aps[q]) == pytest.approx(walked_precision(ranking, positives[q], ignored[q]), abs=1e-12)
            wanted = float(any(i in positives[q] for i in cleaned[:k]))
            assert float(recall_at(ranks, k)[q]) == wanted


@given(searches(), st.integers(0, 10**6))
def test_junk_never_matters(search: tuple, seed: int) -> None:
    queries, database, positives, ignored, *_ = search
    moved = database.clone()
    junk = sorted(set.intersection(*ignored))
    moved[junk] = torch.randn(len(junk), 3, generator=torch.Generator().manual_seed(seed)) * 100
    before, _ = rank(queries, database, tables(positives), tables(ignored))
    after, _ = rank(queries, moved, tables(positives), tables(ignored))
    assert torch.equal(before.rank, after.rank)


def test_ties_go_by_position_in_the_database() -> None:
    same = torch.ones(4, 2)
    for positive in range(4):
        ranks, lists = rank(same[:1], same, [torch.tensor([positive])])
        assert ranks.rank.tolist() == [positive]
        assert lists.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("count", [7, 1001, 4993])
@pytest.mark.parametrize("block", [2**16, 1000, 77])
def test_equal_codes_rank_by_position_in_any_block_of_any_table(count: int, block: int) -> None:
    """Where a plain product rounds some of their scores otherwise."""
    generator = torch.Generator().manual_seed(0)
    code, queries = torch.randn(1, 512, generator=generator), torch.randn(5, 512, generator=generator)
    wanted = torch.tensor([0, count - 1, count, count + 100])
    standing = stand(queries, [code.repeat(count, 1), code.repeat(101, 1)], [wanted] * 5, k=10, block=block)
    assert standing.rank.tolist() == wanted.tolist() * 5
    assert standing.lists[:, :10].tolist() == [list(range(10))] * 5


def test_lists_grow_with_what_is_ignored_and_not_with_what_is_right() -> None:
    codes, half = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
    positives = [torch.nonzero(half == half[i]).flatten() for i in range(60)]
    assert stand(codes, codes, positives, k=5).lists.shape == (60, 5)
    assert stand(codes, codes, positives, 3, k=5).lists.shape == (60, 8)
    assert searched(ExactIndex(), codes, codes, positives, 3, k=5).lists.shape == (60, 8)


def test_real_codes_in_many_blocks_equal_one_block() -> None:
    generator = torch.Generator().manual_seed(3)
    database = torch.nn.functional.normalize(torch.randn(500, 16, generator=generator))
    queries = torch.nn.functional.normalize(torch.randn(40, 16, generator=generator))
    positives = [torch.randperm(500, generator=generator)[: 1 + q % 7] for q in range(40)]
    one, _ = rank(queries, database, positives)
    scores = queries.double() @ database.double().T
    for q, wanted in enumerate(positives):
        places = torch.argsort(torch.argsort(scores[q], descending=True))
        assert one.rank[one.query == q].tolist() == sorted(places[wanted].tolist())
    many, _ = rank(queries, database, positives, pairs=5000, block=77)
    assert torch.equal(one.rank, many.rank)
