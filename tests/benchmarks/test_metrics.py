from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from benchmarks.walks import average_precision as walked_precision
from hypothesis import given
from hypothesis import strategies as st

from deepret.benchmarks.metrics import (
    Ranks,
    average_precision,
    average_precision_at,
    average_precision_at_r,
    found_in,
    global_average_precision,
    precision_at,
    r_precision,
    recall_at,
)


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
    for _ in range(10_000):
        length = int(torch.randint(1, 60, (1,), generator=generator))
        right = torch.rand(length, generator=generator) < torch.rand(1, generator=generator)
        right[int(torch.randint(length, (1,), generator=generator))] = True
        rankings.append(right.tolist())
        positives = set(torch.nonzero(right).flatten().tolist())
        wanted.append(walked_precision(list(range(length)), positives, set()))
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


def slow_worth(right: list[bool], missed: int, k: int) -> dict[str, float]:
    """Every figure of one ranking, by walking it."""
    places = [place for place, hit in enumerate(right, start=1) if hit]
    count = len(places) + missed

    def precision(place: int) -> float:
        return sum(right[:place]) / place

    last = min(k, places[-1]) if places else 1
    return {
        "precision": sum(right[:last]) / last,
        "cut": sum(precision(p) for p in places if p <= k) / min(count, k),
        "at R": sum(precision(p) for p in places if p <= count) / count,
        "R": sum(right[:count]) / count,
        "found": sum(right[:k]),
    }


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 5), st.integers(1, 12))
def test_other_figures_equal_a_walk(right: list[bool], missed: int, k: int) -> None:
    if not any(right):
        missed += 1
    ranks = ranks_of([right, [True]])
    ranks = Ranks(ranks.rank, ranks.query, ranks.positives + torch.tensor([missed, 0]))
    found = {
        "precision": precision_at(ranks, k),
        "cut": average_precision_at(ranks, k),
        "at R": average_precision_at_r(ranks),
        "R": r_precision(ranks),
        "found": found_in(ranks, k),
    }
    assert {name: float(values[0]) for name, values in found.items()} == pytest.approx(slow_worth(right, missed, k))
    assert all(float(values[1]) == 1 for values in found.values())


def test_where_nothing_is_right_there_is_no_figure() -> None:
    ranks = ranks_of([[False], [True]])
    for values in (precision_at(ranks, 5), average_precision_at(ranks, 5), average_precision_at_r(ranks)):
        assert math.isnan(values[0])
        assert float(values[1]) == 1
    assert math.isnan(r_precision(ranks)[0])


def slow_gap(predictions: list[tuple[float, bool]], landmarks: int) -> float:
    total, hits = 0.0, 0
    for place, (_, right) in enumerate(sorted(predictions, key=lambda p: -p[0]), start=1):
        hits += right
        total += right * hits / place
    return total / landmarks


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30), st.integers(0, 4))
def test_global_average_precision_equals_a_walk(predictions: list[tuple[float, bool]], more: int) -> None:
    landmarks = sum(right for _, right in predictions) + more
    confidence, right = (torch.tensor(column) for column in zip(*predictions, strict=True))
    found = global_average_precision(confidence.double(), right, landmarks)
    assert math.isnan(found) if landmarks == 0 else found == pytest.approx(slow_gap(predictions, landmarks), abs=1e-12)
