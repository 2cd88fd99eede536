"""The files of Google Landmarks v2: CSV, with a header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepret.benchmarks.truth import FETCHED
from deepret.data.sets.gldv2 import read_train as listed_photographs
from deepret.data.sets.lists import Lists, read_csv
from deepret.errors import UserError

USAGES = ("private", "public")
"""What queries are for: the main figure and the other one."""
IGNORED = "ignored"
DIGITS = 18
"""Of a landmark's number at most; 64 bits hold them."""
SITE = f"https://github.com/cvdfoundation/google-landmark has it.{FETCHED}"


@dataclass(frozen=True)
class Shown:
    """What a solution says of one query.

    Args:
        name: the query's id.
        answers: what is right for it: landmarks, or photographs; none where it shows no landmark.
        usage: ``private`` or ``public``.
        where: the line, for messages.
    """

    name: str
    answers: tuple[str, ...]
    usage: str
    where: str


def read_solution(path: Path, column: str) -> tuple[list[Shown], set[str]]:
    """The queries of a solution in its order, and those that are ignored.

    Args:
        path: the file, of id, ``column`` and Usage.
        column: ``landmarks`` or ``images``, names with spaces between them.

    Raises:
        UserError: it cannot be read, a usage that is none, a query that stands there twice, or no query.
    """
    found: dict[str, Shown] = {}
    ignored: set[str] = set()
    for where, (name, answers, usage) in read_csv(path, ("id", column, "Usage"), SITE):
        if name in found or name in ignored:
            raise UserError(f"{where}: {name} stands there twice.")
        if usage.lower() == IGNORED:
            ignored.add(name)
            continue
        if usage.lower() not in USAGES:
            raise UserError(f"{where}: usage {usage!r}; wanted: Private, Public or Ignored.")
        found[name] = Shown(name, tuple(dict.fromkeys(answers.split())), usage.lower(), where)
    if not found:
        raise UserError(f"{path}: there is no query in it.")
    return list(found.values()), ignored


def read_train(root: Path, clean: bool) -> dict[str, int]:
    """The landmark of each photograph for training, in the official order.

    Args:
        root: the folder of the files.
        clean: whether those of ``train_clean.csv``, landmark_id and images, or of ``train.csv``, id and landmark_id.

    Raises:
        UserError: it cannot be read, a landmark that is no number, or a photograph that stands there twice.
    """
    found: dict[str, int] = {}
    for where, name, landmark in listed_photographs(Lists(root, "benchmark.root", SITE), clean):
        if name in found:
            raise UserError(f"{where}: {name} stands there twice.")
        found[name] = landmark_of(landmark, where)
    return found


def landmark_of(word: str, where: str) -> int:
    """A landmark's number.

    Raises:
        UserError: it is none.
    """
    if not word.isascii() or not word.isdecimal() or len(word) > DIGITS:
        raise UserError(f"{where}: {word[:40]!r} is no landmark; wanted: its number, such as 138982.")
    return int(word)
