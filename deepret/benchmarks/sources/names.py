"""What rankings may name, and the place of each in the database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepret.benchmarks.truth import Truth, plain

UNKNOWN = -1
"""The row of what is none of them."""


@dataclass(frozen=True)
class Form:
    """How a benchmark's photographs are called, where its ground truth may name but some of them.

    Args:
        prefix: what may stand before a name, behind any folders.
        looks: what all names look like.
        example: such a name, for messages.
        right: the kinds of the ground truth that are right, one of which any ranking ranks somewhere.
    """

    prefix: str
    looks: re.Pattern[str]
    example: str
    right: tuple[str, ...]


class Names:
    """The names of a database: official ones, distractors and, where the ground truth names only some, what it leaves.

    Args:
        truth: says what is official.
        distractors: names of what was ranked beside it.
        form: how photographs are called; None where the ground truth names them as rankings do.
    """

    def __init__(self, truth: Truth, distractors: Sequence[str], form: Form | None = None) -> None:
        named = list(truth.database) or sorted(truth.named())
        official = set(named)
        self.more = [name for name in distractors if name not in official]
        self.official = len(named)
        self.rows = {name: row for row, name in enumerate([*named, *self.more])}
        self.form = form
        self.open = form is not None and not truth.database
        self._parts: dict[str, int] = {}
        for name in self.more:
            part = name.rpartition("/")[2]
            if part not in self.rows:  # a part that two have is nobody's
                self._parts[part] = self.rows[name] if part not in self._parts else UNKNOWN

    def row(self, word: str) -> int:
        """The row of what a word names, which may have an ending, or be the last part of a distractor's path."""
        if (row := self.rows.get(word)) is not None:
            return row
        name = plain(word)
        row = self.rows.get(name, self._parts.get(name, UNKNOWN))
        if row == UNKNOWN and self.form is not None:
            name = self._bare(name)
            row = self.rows.get(name, self._parts.get(name, UNKNOWN))
            if row == UNKNOWN and self.open and self.form.looks.fullmatch(name):
                row = self.rows[name] = len(self.rows)
        return row

    def query(self, word: str, asked: dict[str, list[int]]) -> str:
        """What a query is called, of those that there are."""
        name = plain(word)
        return name if name in asked or self.form is None else self._bare(name)

    def ordered(self) -> tuple[list[str], np.ndarray]:
        """All names, official ones first, those that the ground truth leaves out among them by name; and their rows."""
        names = list(self.rows)
        if not self.open:
            return names, np.arange(len(names), dtype=np.int32)
        last = self.official + len(self.more)
        official = sorted([*names[: self.official], *names[last:]])
        ordered = [*official, *self.more]
        return ordered, np.array([self.rows[name] for name in ordered], dtype=np.int32)

    def _bare(self, name: str) -> str:
        """A name without folders and prefix."""
        assert self.form is not None
        return name.rpartition("/")[2].removeprefix(self.form.prefix)
