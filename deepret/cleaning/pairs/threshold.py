"""How much two photographs have to have in common: read off pairs of different classes of the same data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deepret.data.check import report

TAIL, TAIL_LEAST = 10, 5
"""One in so many of the scores, or so many, are the largest ones from which a rate is gone on to that no pair shows."""
ROUNDS = 8
"""Rounds of reading the threshold and looking which photographs hang together at it, at most."""
LEAST = 100
"""Pairs that a threshold is read off at the least, or a tenth of those that were compared."""
LOOSE = 0.05
"""The share of pairs across that the first round lets pass: there, photographs are under wrong labels, too."""
ONE_THING = 0.5
"""Two classes of which so many of the compared pairs are linked show one thing: they say nothing of others."""

Array = npt.NDArray[np.float64]


class Threshold(NamedTuple):
    """The scores from which on a pair is a link, by the rate of false links that a class can bear.

    Args:
        scores: (m,) ascending, of the pairs across that count; those with nothing in common are 0.
        same: classes, two and two, that show one thing as it seems.
    """

    scores: Array
    same: list[tuple[int, int]]

    def at(self, rate: float) -> float:
        """The smallest score that at most a share ``rate`` of pairs of different things exceed.

        Where fewer pairs were compared than show that rate, the k largest of n scores that are not 0 are taken to fall
        off exponentially above the next one, u, as they do on the mean:

            P(score > t) = k / n · exp(−(t − u) / mean(score − u)),   t at the largest score at the least.
        """
        n = len(self.scores)
        if not n:
            return 0.0
        if self.shows(rate):
            return float(self.scores[n - 1 - min(int(rate * n), n - 1)])
        some = self.scores[self.scores > 0]
        if not len(some):
            return 0.0
        k = min(max(TAIL_LEAST, n // TAIL), len(some))
        above = float(some[max(len(some) - 1 - k, 0)])
        beyond = float((some[len(some) - k :] - above).mean())
        return max(float(some[-1]), above + beyond * math.log(k / (n * rate)))

    def shows(self, rate: float) -> bool:
        """Whether so many pairs were compared that the rate can be read off."""
        return rate * len(self.scores) >= 1


def calibrated(
    pairs: npt.NDArray[np.int64],
    scores: Array,
    class_of: npt.NDArray[np.int64],
    rate: float,
    together: Callable[[Threshold, bool], npt.NDArray[np.bool_]],
) -> Threshold:
    """Reads the threshold off pairs across, of photographs that hang together with others of their class.

    In a noisy set a photograph under a wrong label is linked to the class that it belongs to, so that some pairs of
    different labels show one thing. Such a photograph is not among those that hang together in its class: these are
    found with a loose threshold first, then with the one that their pairs across give, until it stays.

    Args:
        pairs: (m, 2) rows of different classes that were compared.
        scores: (m,).
        class_of: the class of each row.
        rate: the smallest rate that is wanted.
        together: which rows hang together at a threshold; the flag says whether it is the loose one.

    Returns:
        the threshold; that of all pairs, which wrong labels make stricter, where few pairs are left. Where rounds do
        not settle it is the strictest of the later ones.
    """
    classes = np.sort(class_of[pairs], axis=1)
    every = found = Threshold(np.sort(scores), [])
    kept = together(found, True)
    rounds: list[Threshold] = []

    def at_rate(one: Threshold) -> float:
        return one.at(rate)

    for _ in range(ROUNDS):
        both = kept[pairs].all(axis=1)
        same = one_thing(classes[both], scores[both] > found.at(LOOSE))
        known = set(same)
        counts = both & np.array([(a, b) not in known for a, b in classes.tolist()], bool)
        if counts.sum() < max(1, min(LEAST, len(pairs) / 10)):
            report(
                f"of {len(pairs):,} pairs of different classes {counts.sum():,} are of photographs that hang together, "
                f"too few to read a threshold off: that of all pairs is taken, which may drop much that is right."
            )
            return max([every, *rounds], key=at_rate)
        new = Threshold(np.sort(scores[counts]), same)
        if rounds and new.at(rate) == found.at(rate) and new.same == found.same:
            return new
        found = new
        rounds.append(new)
        kept = together(found, False)
    return max(rounds[ROUNDS // 2 :], key=at_rate)


def one_thing(classes: npt.NDArray[np.int64], linked: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Two and two classes of which most pairs that were compared are linked, three at the least.

    Args:
        classes: (m, 2) of pairs.
        linked: (m,).
    """
    pairs: dict[tuple[int, int], list[int]] = {}
    for (a, b), link in zip(classes.tolist(), linked.tolist(), strict=True):
        counts = pairs.setdefault((a, b), [0, 0])
        counts[0] += 1
        counts[1] += int(link)
    return sorted(key for key, (seen, links) in pairs.items() if links >= 3 and links >= ONE_THING * seen)
