"""The figures of a cleaning: counts, reasons, classes, and stages with what they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deepret.cleaning.cleaned import CleanedClass, kind
from deepret.cleaning.stages import FLOOR, Cleaned
from deepret.data.listing import Row
from deepret.reports.cleaning.numbers import duration, percent, whole

MOST_KINDS, MOST_SAME = 20, 100
"""Reasons, and pairs of classes, that a page lists at most."""


class Bar(NamedTuple):
    """A line of a table with a bar: a name, its value in words, and its share of the largest, 0…1."""

    name: str
    value: str
    share: float


class Same(NamedTuple):
    """Two classes (their places in the list) that seem to show one thing, and the links between them."""

    one: int
    two: int
    links: int


def head(found: Cleaned, left_out: Sequence[tuple[Row, str]] = ()) -> list[tuple[str, str, str]]:
    """Name, value and remark of each figure at the head of a page.

    Args:
        found: what the set became.
        left_out: photographs that its catalogue had not, with why.
    """
    photographs = sum(len(one.rows) for one in found.classes) + len(left_out)
    kept = sum(len(one.labels) for one in found.classes)
    filled = sum(bool(one.labels) for one in found.classes)
    new = len({label for one in found.classes for label in one.labels.values()})
    compared = sum(one.compared for one in found.classes)
    into = f", as {whole(new)} classes" if new != filled else ""
    return [
        ("photographs", whole(photographs), ""),
        ("classes", whole(len(found.classes)), f"{whole(filled)} with photographs that are kept{into}"),
        ("kept", whole(kept), percent(kept, photographs)),
        ("dropped", whole(photographs - kept), percent(photographs - kept, photographs)),
        ("verified pairs", whole(sum(len(one.verified) for one in found.classes)), f"of {whole(compared)} compared"),
        ("pairs across", whole(found.across.count), "compared of different classes"),
        ("threshold", threshold_words(found.classes), _source(found)),
        ("false links", f"{100 * found.rate:.2g} %", "of pairs, the strictest of all classes"),
    ]


def threshold_words(classes: Sequence[CleanedClass]) -> str:
    """The score above which pairs are links, or from where to where it goes."""
    low, high = threshold_ends(classes)
    return f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} … {high:.1f}"


def threshold_ends(classes: Sequence[CleanedClass]) -> tuple[float, float]:
    """The lowest and the highest threshold of classes of two photographs or more, or of any where there are none."""
    values = [one.threshold for one in classes if len(one.rows) > 1] or [one.threshold for one in classes] or [0.0]
    return min(values), max(values)


def _source(found: Cleaned) -> str:
    if found.threshold is None:
        return "not read off pairs across"
    if threshold_ends(found.classes)[1] <= FLOOR:
        return "the least that is taken; pairs across would allow less"
    return "read off pairs across" if found.threshold.shows(found.rate) else "estimated: few pairs across"


def bars(values: Sequence[tuple[str, float, str]]) -> list[Bar]:
    """Names, values and their words as lines with bars."""
    largest = max((value for _, value, _ in values), default=0.0)
    return [Bar(name, words, value / largest if largest > 0 else 0.0) for name, value, words in values]


def reasons(found: Cleaned, left_out: Sequence[tuple[Row, str]] = ()) -> tuple[list[Bar], int]:
    """How many photographs fell under each reason, the most first; and how many under reasons that are not listed.

    Args:
        found: what the set became.
        left_out: photographs that its catalogue had not, with why.
    """
    counts = Counter(kind(why) for one in found.classes for why in one.reasons.values())
    counts.update(kind(why) for _, why in left_out)
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = bars([(name, count, whole(count)) for name, count in common[:MOST_KINDS]])
    return listed, sum(count for _, count in common[MOST_KINDS:])


def stages(found: Cleaned) -> list[Bar]:
    """What each stage took."""
    return bars([(name, seconds, duration(seconds)) for name, seconds in found.seconds.items()])


def order(classes: Sequence[CleanedClass]) -> list[int]:
    """The classes by the share that is dropped, the largest first; then by name."""
    return sorted(range(len(classes)), key=lambda i: (len(classes[i].labels) / len(classes[i].rows), classes[i].label))


def same(found: Cleaned) -> tuple[list[Same], int]:
    """Classes, two and two, that seem to show one thing; and how many more such pairs there are.

    A link between them is a pair above the thresholds of both.
    """
    pairs = found.threshold.same if found.threshold is not None else []
    if not pairs:
        return [], 0
    of = {row: i for i, one in enumerate(found.classes) for row in one.rows}
    between = np.array([sorted((of[a], of[b])) for a, b in found.across.rows.tolist()], np.int64).reshape(-1, 2)
    strict = np.array([one.threshold for one in found.classes])[between].max(axis=1)
    links = Counter(map(tuple, between[found.across.scores > strict].tolist()))
    return [Same(a, b, links[a, b]) for a, b in pairs[:MOST_SAME]], max(0, len(pairs) - MOST_SAME)
