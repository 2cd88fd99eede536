"""The threshold against its definition, and read off a set in which some photographs are under a wrong label."""

from __future__ import annotations

import math
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepret.cleaning.pairs.threshold import Threshold, calibrated, lowest_that_holds, one_thing

pytestmark = pytest.mark.slow


def threshold(scores: list[float]) -> Threshold:
    return Threshold(np.sort(np.array(scores, float)), [])


def slow_at(scores: list[float], rate: float) -> float:
    """The smallest of the scores that at most a share ``rate`` of them exceed."""
    fit = [s for s in scores if sum(other > s for other in scores) <= rate * len(scores)]
    return min(fit, default=0.0)


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0, 7.0, 20.0]), max_size=40),
    st.sampled_from([0.001, 0.01, 0.05, 0.125, 0.25, 0.5, 0.9, 1]),
)
def test_at_is_the_smallest_that_few_exceed(scores: list[float], rate: float) -> None:
    found = threshold(scores).at(rate)
    assert sum(score > found for score in scores) <= rate * len(scores)
    if rate * len(scores) >= 1:  # in order: equal scores leave room for none of them to pass
        assert found == slow_at(scores, rate)
    else:
        assert found >= max(scores, default=0.0)


def test_a_rate_that_no_pair_shows_is_gone_on_to_as_scores_fall_off() -> None:
    """Of scores that fall off exponentially the rate comes out, a tenth of what their number shows."""
    scores = np.random.default_rng(0).exponential(3.0, 20000)
    found = [threshold(list(part)).at(1e-4) for part in scores.reshape(20, 1000)]
    assert np.mean(found) == pytest.approx(-3 * math.log(1e-4), rel=0.05)
    assert all(score >= part.max() for score, part in zip(found, scores.reshape(20, 1000), strict=True))


def test_the_smallest_sets_have_a_threshold() -> None:
    some = threshold([1, 2, 3, 9])
    assert some.at(0.01) == pytest.approx(1 + (0 + 1 + 2 + 8) / 4 * math.log(4 / 0.04))
    assert some.at(0.1) == 9
    assert not some.shows(0.1)
    assert threshold([5.0]).at(0.1) == 5
    assert some.shows(0.25)
    assert some.at(0.25) == 3
    assert threshold([]).at(0.5) == 0
    assert not threshold([]).shows(0.5)


def test_classes_of_which_most_pairs_are_linked_show_one_thing() -> None:
    classes = [(0, 1)] * 6 + [(0, 2)] * 6 + [(1, 2)] * 2 + [(3, 4)] * 8
    linked = [True] * 3 + [False] * 3 + [True] * 2 + [False] * 4 + [True] * 2 + [True] * 3 + [False] * 5
    assert one_thing(np.array(classes), np.array(linked)) == [(0, 1)]
    assert one_thing(np.zeros((0, 2), int), np.zeros(0, bool)) == []


class MadeUp:
    """Classes of photographs; a tenth are under a wrong label, and two classes may show one thing.

    Scores of pairs that show one thing are around 20, of others around 3; ``clean`` are the latter.
    """

    RATE = 0.01

    def __init__(self, seed: int, twins: bool = False, classes: int = 12, size: int = 20, wrong: int = 2) -> None:
        random = np.random.default_rng(seed)
        self.class_of = np.repeat(np.arange(classes), size)
        shows = self.class_of.copy()
        for group in range(classes):
            own = np.nonzero(self.class_of == group)[0]
            shows[own[:wrong]] = random.choice([other for other in range(classes) if other != group], wrong)
        if twins:
            shows[shows == 1] = 0
        across = [(a, b) for a, b in combinations(range(len(shows)), 2) if self.class_of[a] != self.class_of[b]]
        self.pairs = np.array(across)[np.sort(random.choice(len(across), 6000, replace=False))]
        true = shows[self.pairs[:, 0]] == shows[self.pairs[:, 1]]
        self.scores = np.where(true, random.normal(20, 5, len(true)), random.gamma(3, 1.0, len(true))).clip(0)
        self.clean = np.sort(self.scores[~true])
        self.right = shows == self.class_of
        self.edges = [
            (a, b, random.normal(20, 5) if shows[a] == shows[b] else random.gamma(3, 1.0))
            for a, b in combinations(range(len(shows)), 2)
            if self.class_of[a] == self.class_of[b]
        ]
        self.asked: list[bool] = []

    def together(self, found: Threshold, loose: bool) -> np.ndarray:
        """The largest component of each class, above the score of a loose or of the wanted rate."""
        self.asked.append(loose)
        score = found.at(0.05 if loose else self.RATE)
        kept = np.zeros(len(self.class_of), bool)
        for group in range(self.class_of.max() + 1):
            graph = nx.Graph([(a, b) for a, b, s in self.edges if self.class_of[a] == group and s > score])
            kept[list(max(nx.connected_components(graph), key=len, default=[]))] = True
        return kept

    def calibrated(self) -> Threshold:
        return calibrated(self.pairs, self.scores, self.class_of, self.RATE, self.together)


@pytest.mark.parametrize("seed", range(3))
def test_wrong_labels_do_not_raise_the_threshold(seed: int) -> None:
    noisy = MadeUp(seed)
    plain = Threshold(np.sort(noisy.scores), []).at(noisy.RATE)
    expected = Threshold(noisy.clean, []).at(noisy.RATE)
    found = noisy.calibrated()
    assert plain > expected * 1.5, "without the rounds it would be too high"
    assert abs(found.at(noisy.RATE) - expected) < 0.1 * expected
    assert found.same == []
    assert noisy.asked[0]
    assert not any(noisy.asked[1:])


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_of_one_thing_are_told_and_do_not_raise_it(seed: int) -> None:
    noisy = MadeUp(seed, twins=True)
    found = noisy.calibrated()
    expected = Threshold(noisy.clean, []).at(noisy.RATE)
    assert found.same == [(0, 1)]
    assert abs(found.at(noisy.RATE) - expected) < 0.1 * expected


def test_a_set_without_mistakes_is_left_alone() -> None:
    clean = MadeUp(0, wrong=0)
    assert clean.calibrated().at(clean.RATE) == Threshold(clean.clean, []).at(clean.RATE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("good", [0, 1])
def test_classes_in_which_nothing_hangs_together_do_not_lower_it(seed: int, good: int) -> None:
    """All photographs but those of one class show things of their own: the threshold is that of all pairs."""
    noisy = MadeUp(seed)
    noisy.edges = [
        (a, b, score if noisy.class_of[a] < good else score % 3)
        for a, b, score in noisy.edges
        if noisy.right[[a, b]].all()
    ]
    every = Threshold(np.sort(noisy.scores), []).at(noisy.RATE)
    with pytest.warns(UserWarning, match="are too few to read a threshold off"):
        found = noisy.calibrated()
    assert found.at(noisy.RATE) >= every


class ToAndFro:
    """One wrong photograph, with scores of 50 across, that hangs together with its class at thresholds below 22.

    At the threshold of all others, 5, it comes in; at that which it makes, 50, it goes.
    """

    RATE = 1 / 1000

    def __init__(self) -> None:
        self.pairs = np.array([(a, b) for a in range(40) for b in range(40, 80)])
        self.class_of = np.repeat([0, 1], 40)
        wrong = (self.pairs[:, 0] == 3) & (self.pairs[:, 1] < 43)
        self.scores = np.where(wrong, 50.0, 5 * (self.pairs.sum(axis=1) % 7) / 6)
        self.asked: list[float] = []

    def together(self, found: Threshold, loose: bool) -> np.ndarray:
        self.asked.append(found.at(self.RATE))
        kept = np.ones(80, bool)
        kept[3] = self.asked[-1] < 22
        return kept


def test_where_rounds_go_to_and_fro_the_lowest_that_holds_between_them_counts() -> None:
    noisy = ToAndFro()
    found = calibrated(noisy.pairs, noisy.scores, noisy.class_of, noisy.RATE, noisy.together)
    assert noisy.asked[:8] == [50, 5] * 4
    assert 22 <= found.at(noisy.RATE) < 22.2


@given(st.floats(1.01, 40), st.floats(0, 1))
def test_the_lowest_that_holds_as_a_scan_finds_it(top: float, share: float) -> None:
    jump = top**share  # what is read off falls from above the top to 1 where the threshold reaches this

    def read(found: Threshold) -> Threshold:
        return Threshold(np.array([1.0 if found.at(1) >= jump else 2 * top]), [])

    found = lowest_that_holds([Threshold(np.array([score]), []) for score in (1.0, top, 1.0, top)], 1.0, read).at(1)
    scan = next(score for score in np.geomspace(1, top, 20_001) if score >= jump * (1 - 1e-12))
    assert found == pytest.approx(scan, rel=1e-2)
    assert found >= jump * (1 - 1e-9) or found == top


def test_where_nothing_lower_holds_the_strictest_counts() -> None:
    rounds = [Threshold(np.array([score]), []) for score in (3.0, 9.0, 3.0, 9.0)]
    assert lowest_that_holds(rounds, 1.0, lambda found: Threshold(found.scores * 2, [])).at(1) == 9
    assert lowest_that_holds(rounds, 1.0, lambda found: None).at(1) == 9
