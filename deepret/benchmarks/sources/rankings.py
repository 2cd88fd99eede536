"""Rankings in a file, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from deepret.benchmarks.sources.source import Source
from deepret.benchmarks.standing import ABSENT, Standing, padded
from deepret.benchmarks.truth import Question, Truth, plain, twice
from deepret.errors import UserError


class Rankings(Source):
    """Rankings in a text file, whoever made them; what they leave out is not found.

    Args:
        lists: the ranked names of each query, best first, by the query's name.
        path: the file, for messages.
        distractors: names of what was ranked beside the official photographs, each once and none of those.
        count: how many photographs were ranked, where the rankings name fewer.
    """

    def __init__(
        self, lists: Mapping[str, Sequence[str]], path: Path, distractors: Sequence[str] = (), count: int = 0
    ) -> None:
        self.lists = lists
        self.file = self.path = path
        self.distractors = distractors
        self.added = len(distractors)
        self.count = count

    def among(self, truth: Truth, count: int, distractors: Sequence[str]) -> Rankings:
        """These rankings as those of a database.

        A ranking may call a distractor by the last part of its path, where no other photograph is called so.

        Args:
            truth: says what is official.
            count: how many photographs are published; that they were all ranked is taken for granted.
            distractors: names of what was ranked beside them.

        Raises:
            UserError: a ranking that names a photograph in both ways.
        """
        official = {*truth.database, *truth.named()}
        more = [name for name in distractors if name not in official]
        known = {*official, *more}
        last: dict[str, list[str]] = {}
        for name in more:
            last.setdefault(name.rpartition("/")[2], []).append(name)
        whole = {part: names[0] for part, names in last.items() if len(names) == 1 and part not in known}
        lists = {query: [whole.get(name, name) for name in names] for query, names in self.lists.items()}
        for query, names in lists.items():
            if (again := twice(names)) is not None:
                raise UserError(f"{self.path}: {query} ranks {again} twice.")
        return Rankings(lists, self.path, more, 0 if truth.database else count + len(more))

    def database(self, truth: Truth) -> list[str]:
        """The official photographs, or all that are ranked where the ground truth names only some; then distractors."""
        named = truth.database or sorted(truth.named().union(*self.lists.values()).difference(self.distractors))
        return [*named, *self.distractors]

    def has(self, question: Question) -> bool:
        """Whether its ranking is there, under its own name or its photograph's."""
        return question.name in self.lists or question.image in self.lists

    def stand(
        self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor], ignored: int = 0
    ) -> Standing:
        """Looks up where images stand.

        Raises:
            UserError: a ranked name that is none of the database's.
        """
        place = {name: position for position, name in enumerate(database)}
        lists, ranks = [], [torch.empty(0, dtype=torch.int64)]
        for question, wanted in zip(questions, matter, strict=True):
            names = self.lists[question.name if question.name in self.lists else question.image]
            for name in names:
                if name not in place:
                    beside = "among benchmark.distractors" if self.distractors else "named by benchmark.distractors"
                    raise UserError(
                        f"{self.path}: {question.name} ranks {name}, which is neither in the database nor {beside}."
                    )
            row = [place[name] for name in names]
            stands = {position: rank for rank, position in enumerate(row)}
            lists.append(torch.tensor(row, dtype=torch.int64))
            ranks.append(torch.tensor([stands.get(i, ABSENT) for i in wanted.tolist()], dtype=torch.int64))
        return Standing.of(max(len(database), self.count), matter, torch.cat(ranks), padded(lists))


def read_rankings(path: Path, *, places: bool = False) -> Rankings:
    """Reads rankings, a query a line: its name, then the ranked names, best first, each followed by a score or not.

    Args:
        path: the file.
        places: whether a place stands before each ranked name, as in Holidays' result files.

    Raises:
        UserError: it cannot be read, a query or a ranked name stands there twice, or places without names.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}).") from None
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        query, *words = line.split() or [""]
        if not query:
            continue
        query, where = plain(query), f"{path}, line {number}"
        if query in found:
            raise UserError(f"{where}: {query} has a ranking above already.")
        names = _placed(words, where) if places else [plain(w) for i, w in enumerate(words) if not _score(w, i)]
        if (name := twice(names)) is not None:
            raise UserError(f"{where}: {name} is ranked twice.")
        found[query] = names
    if not found:
        raise UserError(f"{path}: there is no ranking in it; wanted, a line a query: its name, then the ranked names.")
    return Rankings(found, path)


def _score(word: str, place: int) -> bool:
    """Whether a word is a score: a number with a point or an exponent, and not the first one."""
    if place == 0 or not any(sign in word for sign in ".eE"):
        return False
    try:
        float(word)
    except ValueError:
        return False
    return True


def _placed(words: Sequence[str], where: str) -> list[str]:
    """Names in the order of the places that stand before them."""
    numbers, names = words[::2], [plain(word) for word in words[1::2]]
    if len(numbers) != len(names) or not all(number.lstrip("-").isdecimal() for number in numbers):
        raise UserError(f"{where}: wanted pairs of place and name: QUERY 0 NAME 1 NAME.")
    if (again := twice(numbers)) is not None:
        raise UserError(f"{where}: place {again} stands there twice.")
    order = sorted(range(len(names)), key=lambda i: int(numbers[i]))
    return [names[i] for i in order]
