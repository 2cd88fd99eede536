"""How much of a published benchmark was ranked and asked, and the name that says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from deepret.benchmarks.truth import Question, Truth


@dataclass(frozen=True)
class Published:
    """How much is published.

    Args:
        count: how many photographs are ranked, without distractors.
        distractors: how many more in the benchmark with distractors, where that is the one.
        asked: how many queries there are.
        usable: of each setting the kinds of positives, and how many queries have one.
    """

    count: int
    distractors: int
    asked: int
    usable: Sequence[tuple[Sequence[str], int]] = ()


@dataclass(frozen=True)
class Completeness:
    """What there is of a benchmark.

    Args:
        name: the benchmark's, with its distractors where they were ranked.
        there: how many of the published photographs were ranked, distractors among them.
        count: how many are published.
        more: how many more were ranked than are published.
        asked: how many queries are published.
        unasked: how many of those could not be asked, but for those that are photographs to be ranked themselves; of
            queries to which the ground truth has no answer, those beyond the published ones, in the setting that has
            the most.
        whole: whether queries that are boxes were asked as whole photographs.
        missing: how many published photographs are not there: ``queries``, and of those that are ranked ``positives``
            of any query, ``junk``, which are neither, and ``distractors``, which are nothing to any query.
    """

    name: str
    there: int
    count: int
    more: int
    asked: int
    unasked: int
    whole: bool
    missing: dict[str, int]

    @property
    def title(self) -> str:
        """The name, with what sets this copy apart from the published one."""
        left = f", {self.asked - self.unasked:,} of {self.asked:,} queries" if self.unasked else ""
        notes = ["whole queries"] if self.whole else []
        if self.there < self.count or left:
            notes.insert(0, f"partial: {self.there:,} of {self.count:,}{left}")
        elif self.more > 0:
            notes.insert(0, f"and {self.more:,} more")
        return f"{self.name} ({'; '.join(notes)})" if notes else self.name


def completeness(
    name: str,
    published: Published,
    truth: Truth,
    positives: Collection[str],
    junk: Collection[str],
    there: Collection[str],
    has: Callable[[Question], bool],
    ranked: int,
    added: int = 0,
    whole: bool = False,
) -> Completeness:
    """Compares what was ranked with what is published, the benchmark's own photographs and distractors each by itself.

    Args:
        name: the benchmark's.
        published: how much is published; a ground truth that names more is believed.
        truth: its ground truth.
        positives: the photographs that are right for any query.
        junk: those that are left out of any query's ranking.
        there: the names of what was ranked.
        has: whether a query could be asked.
        ranked: how many photographs were ranked, with those that have no name, but for distractors.
        added: how many distractors were ranked.
        whole: whether queries that are boxes were asked as whole photographs.
    """
    official = set(truth.database)
    lost = [question for question in truth.questions if not has(question)]
    queries = {q.image for q in lost if q.image not in there and (q.image in official or not official)}
    right = {name for name in positives if name not in there}
    out = {name for name in junk if name not in there} - right - queries
    named = right | out | queries
    count, asked = max(published.count, len(official)), max(published.asked, len(truth.questions))
    found = min(ranked, count - len(named | {name for name in official if name not in there}))
    beside = min(added, published.distractors)
    unknown = asked - len(truth.questions)
    gone = {question.name for question in lost if question.image not in queries}
    there_to_ask = [question for question in truth.questions if question.name not in gone]
    short = [
        number - sum(any(question.lists[kind] for kind in kinds) for question in there_to_ask)
        for kinds, number in published.usable
    ]
    return Completeness(
        name=name,
        there=found + beside,
        count=count + published.distractors,
        more=max(0, ranked - count) + added - beside,
        asked=asked,
        unasked=max(unknown + len(truth.questions) - len(there_to_ask), *short, 0),
        whole=whole,
        missing={
            "queries": unknown + len(lost),
            "positives": len(right),
            "junk": len(out),
            "distractors": count - found - len(named) + published.distractors - beside,
        },
    )
