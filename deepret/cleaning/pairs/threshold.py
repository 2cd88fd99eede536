"""How much two photographs have to have in common: read off pairs of different classes of the same data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deepret.data.check import report

TAIL, TAIL_LEAST = 10, 5
"""One in so many of the scores, or so many, are the largest ones from which a rate is gone on to that no pair shows."""
ROUNDS = 8
"""Rounds of reading the threshold and looking which photographs hang together at it, at most."""
HALVINGS = 10
"""Steps in which a threshold is looked for between two: to a thousandth of what lies between them."""
SMALL = 1e-3
"""The least share of the larger of the two."""
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
        the threshold; that of all pairs, which wrong labels make stricter, where few pairs are left. Where rounds go to
        and fro, because a wrong photograph comes in at the one threshold and right ones are lost at the other, it is
        the lowest one between them that what hangs together at it does not exceed.
    """
    classes = np.sort(class_of[pairs], axis=1)

    def read(found: Threshold, loose: bool, linked: float) -> Threshold | None:
        both = together(found, loose)[pairs].all(axis=1)
        same = one_thing(classes[both], scores[both] > linked)
        known = set(same)
        counts = both & np.array([(a, b) not in known for a, b in classes.tolist()], bool)
        enough = counts.sum() >= max(1, min(LEAST, len(pairs) / 10))
        return Threshold(np.sort(scores[counts]), same) if enough else None

    every = Threshold(np.sort(scores), [])
    rounds = [every]
    for number in range(ROUNDS):
        found = rounds[-1]
        new = read(found, number == 0, found.at(LOOSE))
        if new is None:
            report(
                f"of {len(pairs):,} pairs of different classes those of photographs that hang together are too few to "
                f"read a threshold off: that of all pairs is taken, which may drop much that is right."
            )
            return max(rounds, key=lambda one: one.at(rate))
        if number and new.at(rate) == found.at(rate) and new.same == found.same:
            return new
        rounds.append(new)
    last = rounds[ROUNDS // 2 :]
    linked = max(one.at(LOOSE) for one in last)
    return lowest_that_holds(last, rate, lambda found: read(found, False, linked))


def lowest_that_holds(
    rounds: Sequence[Threshold], rate: float, read: Callable[[Threshold], Threshold | None]
) -> Threshold:
    """The lowest threshold above which pairs across do not exceed it more often than they may, among given ones.

    What is read off pairs that hang together at a threshold t falls as t rises: t is halved in between, in logarithms.

    Args:
        rounds: thresholds; the strictest is taken where nothing below holds.
        rate: of false links.
        read: the threshold that pairs across give of what hangs together at one; None where they are too few.
    """
    strict = max(rounds, key=lambda one: one.at(rate))
    top, bottom = strict.at(rate), min(one.at(rate) for one in rounds)
    low, high, best = max(bottom, SMALL * top) / max(top, SMALL), 1.0, strict
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        tried = Threshold(strict.scores * middle, strict.same)
        new = read(tried)
        if new is not None and new.at(rate) <= tried.at(rate):
            high, best = middle, Threshold(tried.scores, new.same)
        else:
            low = middle
    return best


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
