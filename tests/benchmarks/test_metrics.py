from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepret.benchmarks.metrics import Ranks, average_precision, rank, recall_at


def slow_average_precision(ranking: list[int], positives: set[int], ignored: set[int]) -> float:
    """Walks a full ranking, junk removed, and adds the trapezoid under precision over recall at each positive."""
    total, old_precision, found, seen = 0.0, 1.0, 0, 0
    for image in ranking:
        if image in ignored:
            continue
        if image in positives:
            found += 1
        precision, seen = found / (seen + 1), seen + 1
        if image in positives:
            total += (old_precision + precision) / 2 / len(positives)
        old_precision = precision
    return total


def slow_ranking(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


def ranks_of(rankings: list[list[bool]]) -> Ranks:
    """Ranks from lists that say of each place whether it holds a positive."""
    pairs = [(q, r) for q, ranking in enumerate(rankings) for r, right in enumerate(ranking) if right]
    return Ranks(
        torch.tensor([r for _, r in pairs]).long(),
        torch.tensor([q for q, _ in pairs]).long(),
        torch.tensor([sum(r) for r in rankings]),
    )


def test_average_precision_of_rankings_worked_out_by_hand() -> None:
    # first: all at once 1; second: (0/1 + 1/2)/2; third: ½·(1 + (1/2 + 2/3)/2)
    ranks = ranks_of([[True, True], [False, True], [True, False, True]])
    assert average_precision(ranks).tolist() == pytest.approx([1.0, 0.25, 0.5 * (1 + (1 / 2 + 2 / 3) / 2)], abs=1e-15)


def test_average_precision_equals_the_slow_twin_on_random_rankings() -> None:
    generator = torch.Generator().manual_seed(0)
    rankings, wanted = [], []
    for _ in range(2000):
        length = int(torch.randint(1, 60, (1,), generator=generator))
        right = torch.rand(length, generator=generator) < torch.rand(1, generator=generator)
        right[int(torch.randint(length, (1,), generator=generator))] = True
        rankings.append(right.tolist())
        positives = set(torch.nonzero(right).flatten().tolist())
        wanted.append(slow_average_precision(list(range(length)), positives, set()))
    assert average_precision(ranks_of(rankings)).tolist() == pytest.approx(wanted, abs=1e-12)


def test_positives_beyond_the_end_of_a_ranking_count_as_never_found() -> None:
    cut = Ranks(torch.tensor([0, 2, 1]), torch.tensor([0, 0, 1]), torch.tensor([4, 2]))
    assert average_precision(cut).tolist() == pytest.approx([(1 + (1 / 2 + 2 / 3) / 2) / 4, 0.25 / 2], abs=1e-15)


def test_holidays_own_example_scores_what_its_official_program_says(ground_truth: Path) -> None:
    groups = Counter(name[:4] for name in (ground_truth / "holidays_images.dat").read_text().split())
    pairs, counts = [], []
    for q, line in enumerate((ground_truth / "holidays_example_result.txt").read_text().splitlines()):
        query, *names = [word for word in line.split() if word.endswith(".jpg")]
        names = [name for name in names if name != query]
        pairs += [(q, r) for r, name in enumerate(names) if name[:4] == query[:4]]
        counts.append(groups[query[:4]] - 1)
    ranks = Ranks(torch.tensor([r for _, r in pairs]), torch.tensor([q for q, _ in pairs]), torch.tensor(counts))
    assert len(counts) == 500
    assert float(average_precision(ranks).mean()) == pytest.approx(0.68923, abs=5e-6)


def test_recall_counts_a_query_once_however_many_positives_it_found() -> None:
    ranks = ranks_of([[True, True, False], [False, False, True], [False, False, False]])
    assert [recall_at(ranks, k)[:2].tolist() for k in (1, 2, 3)] == [[1, 0], [1, 0], [1, 1]]
    assert math.isnan(recall_at(ranks, 1)[2])
    assert math.isnan(average_precision(ranks)[2])


@given(st.lists(st.booleans(), min_size=2, max_size=30).filter(any), st.data())
def test_moving_a_positive_up_never_lowers_average_precision(ranking: list[bool], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([i for i, right in enumerate(ranking) if right]))
    higher = data.draw(st.integers(0, place))
    moved = [*ranking[:higher], True, *ranking[higher:place], *ranking[place + 1 :]]
    before, after = average_precision(ranks_of([ranking, moved])).tolist()
    assert after >= before - 1e-12
    assert 0 < before <= 1


@st.composite
def searches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, list[set[int]], list[set[int]], int, int]:
    """Codes of whole numbers, which tie, with disjoint positives and junk; a length of lists and a size of blocks."""
    count, asked, seed = draw(st.integers(1, 25)), draw(st.integers(1, 6)), draw(st.integers(0, 10**6))
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(-1, 2, (asked + count, 3), generator=generator).float()
    kind = torch.randint(0, 3, (asked, count), generator=generator)
    positives = [set(torch.nonzero(row == 1).flatten().tolist()) for row in kind]
    ignored = [set(torch.nonzero(row == 2).flatten().tolist()) for row in kind]
    return codes[:asked], codes[asked:], positives, ignored, draw(st.integers(1, 30)), draw(st.integers(1, 100))


def tables(sets: list[set[int]]) -> list[torch.Tensor]:
    return [torch.tensor(sorted(s)).long() for s in sets]


@given(searches())
def test_ranks_and_lists_equal_a_full_sort_with_ties_junk_and_any_blocks(search: tuple) -> None:
    queries, database, positives, ignored, k, pairs = search
    ranks, lists = rank(queries, database, tables(positives), tables(ignored), k=k, pairs=pairs)
    aps = average_precision(ranks)
    assert ranks.positives.tolist() == [len(p) for p in positives]
    for q, scores in enumerate((queries @ database.T).tolist()):
        ranking = slow_ranking(scores)
        cleaned = [i for i in ranking if i not in ignored[q]]
        assert ranks.rank[ranks.query == q].tolist() == [r for r, i in enumerate(cleaned) if i in positives[q]]
        assert lists[q].tolist() == (cleaned + [-1] * len(ranking))[: min(k, len(ranking))]
        if positives[q]:
            assert float(aps[q]) == pytest.approx(slow_average_precision(ranking, positives[q], ignored[q]), abs=1e-12)
            wanted = float(any(i in positives[q] for i in cleaned[:k]))
            assert float(recall_at(ranks, k)[q]) == wanted


@given(searches(), st.integers(0, 10**6))
def test_junk_never_matters(search: tuple, seed: int) -> None:
    queries, database, positives, ignored, _, _ = search
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
    many, _ = rank(queries, database, positives, pairs=5000)
    assert torch.equal(one.rank, many.rank)
