"""What a benchmark's ground truth says: which photographs there are, what is asked of them, and what is right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from deepret.data.check import IMAGES
from deepret.data.photo import Box

FETCHED = " benchmark.download=true fetches what is missing, or says how to get it."
"""Ends a message about published files that are not there."""


@dataclass(frozen=True)
class Question:
    """One query.

    Args:
        name: what files of rankings and descriptors call it.
        image: the photograph that it is, or is cut from.
        lists: names of photographs of the database by kind: ``good``, ``junk`` and so on.
        box: what is asked of the photograph, in pixels; None for all of it.
        where: the place in the ground truth, for messages.
    """

    name: str
    image: str
    lists: Mapping[str, Collection[str]]
    box: Box | None = None
    where: str = ""


@dataclass(frozen=True)
class Truth:
    """A ground truth.

    Args:
        database: the names of the photographs that are ranked, in their official order; empty where it names only some.
        questions: the queries, in their official order.
    """

    database: Sequence[str]
    questions: Sequence[Question]

    def named(self) -> set[str]:
        """The photographs of the database that some query's lists name."""
        return {name for q in self.questions for names in q.lists.values() for name in names}


@dataclass(frozen=True)
class Setting:
    """Which kinds of a query's photographs are right, and which are taken out of its ranking."""

    positives: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A photograph's name without the ending of an image file."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in IMAGES else name


def twice(names: Iterable[str]) -> str | None:
    """The first name that has stood before already; None where there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
