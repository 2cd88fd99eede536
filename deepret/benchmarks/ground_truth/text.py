"""Ground truth in text files, as Oxford5k and Paris6k have it: a query file and three lists of names for each query."""

from __future__ import annotations

import math
from pathlib import Path

from deepret.benchmarks.truth import Question
from deepret.data.photo import Box
from deepret.errors import UserError

KINDS = ("good", "ok", "junk")
POSITIVES = ("good", "ok")


def read_text(folder: Path, prefix: str = "") -> list[Question]:
    """Reads ``<query>_query.txt`` (image and box) and its ``_good``, ``_ok`` and ``_junk`` lists, a name a line.

    Args:
        folder: where the files are.
        prefix: what stands before an image's name in the query files.

    Raises:
        UserError: no query, a list that is missing, a line that cannot be read, or a name that is positive and junk.
    """
    found = []
    for path in sorted(folder.glob("*_query.txt")):
        name = path.name.removesuffix("_query.txt")
        image, box = _query_line(path, prefix)
        lists = {kind: _names(folder / f"{name}_{kind}.txt") for kind in KINDS}
        lists["ok"] -= lists["good"]  # the official program counts a name once
        for both in sorted((lists["good"] | lists["ok"]) & lists["junk"]):
            raise UserError(f"{folder / name}_junk.txt: {both} is among the positives of the same query too.")
        found.append(Question(name, image, lists, box, str(path)))
    if not found:
        raise UserError(f"{folder} holds no ground truth: no file there is called like all_souls_1_query.txt.")
    return found


def _query_line(path: Path, prefix: str) -> tuple[str, Box]:
    lines = _lines(path)
    if len(lines) != 1:
        raise UserError(f"{path}: {len(lines)} lines; a query is one line: image x0 y0 x1 y1.")
    number, words = lines[0]
    wrong = UserError(f"{path}, line {number}: {' '.join(words)!r} is no query; wanted: image x0 y0 x1 y1 in pixels.")
    if len(words) != 5:
        raise wrong
    try:
        x0, y0, x1, y1 = (float(w) for w in words[1:])
    except ValueError:
        raise wrong from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x0 >= x1 or y0 >= y1:
        raise wrong
    return words[0].removeprefix(prefix), (x0, y0, x1, y1)


def _names(path: Path) -> frozenset[str]:
    found = set()
    for number, words in _lines(path):
        if len(words) != 1:
            raise UserError(f"{path}, line {number}: {' '.join(words)!r} is no image's name; wanted: one name a line.")
        found.add(words[0])
    return frozenset(found)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); every query has a query, good, ok and junk file.") from None
    return [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
