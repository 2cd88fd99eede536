"""Rankings in a file, whoever made them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deepret.benchmarks.result import LISTED
from deepret.benchmarks.sources.listed import Kept, Listed, moved
from deepret.benchmarks.sources.names import UNKNOWN, Form, Names
from deepret.benchmarks.sources.ranking_lines import Lines, placed, text_lines, without_scores
from deepret.benchmarks.standing import ABSENT
from deepret.benchmarks.truth import Truth
from deepret.errors import UserError


class Rankings:
    """A file of rankings, which is read, a line at a time, when it is known what they may name.

    Args:
        path: the file.
        lines: gives its lines.
        places: whether a place stands before each ranked name, as in Holidays' result files; the places count then.
        form: how photographs are called; None where the ground truth names them as rankings do.
        beside: queries that may have a ranking, too, which is ignored.
        every: whether a query without a ranking has found nothing, in place of not being asked.
    """

    def __init__(
        self,
        path: Path,
        lines: Lines,
        *,
        places: bool = False,
        form: Form | None = None,
        beside: Collection[str] = (),
        every: bool = False,
    ) -> None:
        self.path = path
        self.lines = lines
        self.places = places
        self.form = form
        self.beside = beside
        self.every = every

    def among(self, truth: Truth, count: int, distractors: Sequence[str]) -> Listed:
        """The rankings as those of a database; of each only what the figures need stays.

        A ranking may call a distractor by the last part of its path, where no other photograph is called so.

        Args:
            truth: says what is official.
            count: how many photographs are published; that they were all ranked is taken for granted.
            distractors: names of what was ranked beside them.

        Raises:
            UserError: a file that cannot be read or has no ranking; a query that is none, or stands there twice; a name
                that is none of the database's, or is ranked twice; places without names; or, where the ground truth
                names only some photographs, no right one in any ranking.
        """
        names = Names(truth, distractors, self.form)
        asked: dict[str, list[int]] = {}
        for number, question in enumerate(truth.questions):
            for name in {question.name, question.image}:
                asked.setdefault(name, []).append(number)
        kept: dict[str, Kept] = {}
        seen: set[str] = set()
        deepest = 0
        for where, word, words in tqdm(self.lines(), unit=" queries", desc="reading", disable=None, leave=False):
            query = names.query(word, asked)
            if query in seen:
                raise UserError(f"{where}: {query} has a ranking above already.")
            seen.add(query)
            if query in self.beside or not asked:
                continue
            if query not in asked:
                such = truth.questions[0].name
                raise UserError(f"{where}: {query} is no query of the ground truth, such as {such}.")
            rows, places = self._rows(names, query, words, where)
            deepest = max(deepest, int(places[-1]) + 1 if len(places) else 0)
            wanted = {n for i in asked[query] for group in truth.questions[i].lists.values() for n in group}
            matter = np.array(sorted(names.rows[n] for n in wanted if n in names.rows), dtype=np.int32)
            stands = np.full(len(names.rows), ABSENT, dtype=np.int32)
            stands[rows] = places
            kept[query] = Kept(matter, stands[matter], rows[: LISTED + len(matter)].copy())
        if not seen:
            raise UserError(
                f"{self.path}: there is no ranking in it; wanted, a line a query: its name, then the ranked names."
            )
        if names.open:
            self._check_right(truth, names, kept)
        ordered, rows = names.ordered()
        if names.open:
            kept = moved(kept, rows)
        taken = 0 if truth.database else count + len(names.more)
        return Listed(self.path, ordered, kept, max(taken, deepest), len(names.more), self.every)

    def _rows(self, names: Names, query: str, words: Sequence[str], where: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n,) int32 of what a line ranks, best first, and the rank of each, from 0."""
        if self.places:
            words, stated = placed(words, where)
        else:
            words, stated = without_scores(words, lambda word: names.row(word) != UNKNOWN), list[int]()
        get = names.rows.get
        rows = np.array([row if (row := get(word)) is not None else names.row(word) for word in words], np.int32)
        if len(wrong := np.flatnonzero(rows == UNKNOWN)):
            beside = "among benchmark.distractors" if names.more else "named by benchmark.distractors"
            such = f" (wanted: names such as {self.form.example})" if self.form is not None else ""
            raise UserError(
                f"{where}: {query} ranks {words[wrong[0]]}, which is neither in the database nor {beside}{such}."
            )
        ordered = np.sort(rows)
        if len(again := ordered[1:][ordered[1:] == ordered[:-1]]):
            name = list(names.rows)[again[0]]
            raise UserError(f"{where}: {name} is ranked twice.")
        return rows, np.array(stated, np.int32) if self.places else np.arange(len(rows), dtype=np.int32)

    def _check_right(self, truth: Truth, names: Names, kept: Mapping[str, Kept]) -> None:
        """Refuses rankings in which nothing is right, though names of photographs are."""
        assert self.form is not None
        for question in truth.questions:
            found = kept.get(question.name, kept.get(question.image))
            right = [names.rows[n] for kind in self.form.right for n in question.lists[kind]]
            if found is not None and (found.ranks[np.searchsorted(found.rows, right)] != ABSENT).any():
                return
        raise UserError(
            f"{self.path}: no ranking has any photograph that is right for its query, as the ground truth calls them, "
            f"such as {self.form.example}."
        )


def read_rankings(path: Path, *, places: bool = False, form: Form | None = None) -> Rankings:
    """Rankings in a text file, a query a line: its name, then the ranked names, best first, each with a score or not.

    Args:
        path: the file.
        places: whether a place stands before each ranked name, as in Holidays' result files; the places count then.
        form: how photographs are called; None where the ground truth names them as rankings do.
    """
    return Rankings(path, lambda: text_lines(path), places=places, form=form)
