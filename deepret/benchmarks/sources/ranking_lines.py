"""The lines of files of rankings: a query, and what it ranks, with places or scores or without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from deepret.errors import UserError

PLACE = re.compile(r"[0-9]{1,9}")
SCORE = re.compile(r"[+-]?(0|[1-9][0-9]{0,8}|[0-9]*\.[0-9]+|[0-9]+\.)([eE][+-][0-9]{1,3})?|[+-]?inf|nan")
"""A number as programs print it: an exponent has a sign, a whole number no zero before it."""

Lines = Callable[[], Iterator[tuple[str, str, list[str]]]]
"""Place in a file, query and the words behind it, of each line that is not empty."""


def text_lines(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Those of a text file, one at a time.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if words := line.split():
                    yield f"{path}, line {number}", words[0], words[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}).") from None


def without_scores(words: Sequence[str], known: Callable[[str], bool]) -> Sequence[str]:
    """Names without the scores that follow them: every second word, where each of those is a number and no name."""
    scores = words[1::2]
    if not scores or len(words) % 2 or not all(SCORE.fullmatch(word) and not known(word) for word in scores):
        return words
    return words[::2]


def placed(words: Sequence[str], where: str) -> tuple[list[str], list[int]]:
    """Names in the order of the places that stand before them, and those places, from 0.

    Raises:
        UserError: no pairs, or a place twice.
    """
    if len(words) % 2 or not all(PLACE.fullmatch(word) for word in words[::2]):
        raise UserError(f"{where}: wanted pairs of place and name: QUERY 0 NAME 1 NAME.")
    pairs = sorted(zip(map(int, words[::2]), words[1::2], strict=True))
    for (place, _), (other, _) in pairwise(pairs):
        if place == other:
            raise UserError(f"{where}: place {place} stands there twice.")
    return [name for _, name in pairs], [place for place, _ in pairs]
