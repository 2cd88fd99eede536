"""What a benchmark's rankings come from: photographs that a network describes, codes in a file, or rankings in one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from deepret.benchmarks.result import LISTED, Describe
from deepret.benchmarks.searched import Index, searched
from deepret.benchmarks.standing import ABSENT, Standing, flat, stand
from deepret.benchmarks.truth import Question, Truth, plain
from deepret.data.photo import Box, Photo, upright_size
from deepret.errors import UserError


class Source(Protocol):
    """Ranks a database for queries."""

    def database(self, truth: Truth) -> list[str]:
        """The names of what is ranked: the official photographs that are there, in their order, then all others."""

    def has(self, question: Question) -> bool:
        """Whether a query is there."""

    def stand(self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor]) -> Standing:
        """Ranks the database."""

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """The photographs of queries and database, where they are known."""


class Photographs:
    """Photographs that are described.

    Args:
        files: where each photograph is, by its name.
        describe: photographs → codes.
        index: gives an empty index to search with; none compares everything, exactly.
    """

    def __init__(self, files: Mapping[str, Path], describe: Describe, index: Callable[[], Index] | None = None) -> None:
        self.files = files
        self.describe = describe
        self.index = index

    def database(self, truth: Truth) -> list[str]:
        """The official photographs that are there, and all others; without those that only queries show."""
        if not truth.database:
            return sorted(self.files)
        official = set(truth.database)
        only_asked = {question.image for question in truth.questions} - official
        return [n for n in truth.database if n in self.files] + sorted(self.files.keys() - official - only_asked)

    def has(self, question: Question) -> bool:
        """Whether its photograph is there."""
        return question.image in self.files

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """Both, the queries cut to their boxes.

        Raises:
            UserError: a box outside its photograph.
        """
        paths = [self.files[question.image] for question in questions]
        boxes = [None if q.box is None else within(q, path) for q, path in zip(questions, paths, strict=True)]
        asked = [Photo(path, box) for path, box in zip(paths, boxes, strict=True)]
        return asked, [Photo(self.files[name]) for name in database]

    def stand(self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor]) -> Standing:
        """Describes both and compares them."""
        asked, ranked = self.photos(questions, database)
        queries, codes = self.describe(asked), self.describe(ranked)
        if self.index is None:
            return stand(queries, codes, matter, k=LISTED)
        return searched(self.index(), queries, codes, matter, k=LISTED)


def within(question: Question, path: Path) -> Box:
    """A query's box cut to its photograph; official ones reach less than a pixel beyond.

    Raises:
        UserError: it lies outside.
    """
    assert question.box is not None
    width, height = upright_size(path)
    x0, y0, x1, y1 = question.box
    if x0 < -1 or y0 < -1 or x1 > width + 1 or y1 > height + 1:
        raise UserError(
            f"{question.where}: the box {x0:g} {y0:g} {x1:g} {y1:g} lies outside {path}, which is {width} × {height} "
            f"pixels: take the images at their original size."
        )
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))


class Descriptors:
    """Codes in files, compared by inner product as they are.

    Args:
        path: ``NAME.npy``, (n, D) numbers, with the photographs' names in ``NAME.txt``, a line each; or
            ``NAME.safetensors``, a tensor ``codes`` and the names as a list in the metadata ``names``.
        queries: such a file of the queries alone; without it they are taken from the first one.
        more: further codes ``.npy`` (m, D) of photographs without names, which are right for no query.
        index: gives an empty index to search with; none compares everything, exactly.

    Raises:
        UserError: files that cannot be read, or whose names and codes do not fit; codes that are no numbers or zero.
    """

    def __init__(
        self,
        path: Path,
        queries: Path | None = None,
        more: Path | None = None,
        index: Callable[[], Index] | None = None,
    ) -> None:
        self.names, self.codes = read_descriptors(path)
        self.asked, self.queries = (self.names, self.codes) if queries is None else read_descriptors(queries)
        self.more = None if more is None else read_codes(more)
        self.index = index
        for other, codes in ((queries, self.queries), (more, self.more)):
            if codes is not None and codes.shape[1] != self.codes.shape[1]:
                raise UserError(
                    f"{other}: its codes have {codes.shape[1]} dimensions, and those of {path} {self.codes.shape[1]}."
                )

    def database(self, truth: Truth) -> list[str]:
        """The official photographs that have codes, and all others; without those that only queries show."""
        if not truth.database:
            return sorted(self.names)
        official = set(truth.database)
        only_asked = {name for q in truth.questions for name in (q.name, q.image)} - official
        return [n for n in truth.database if n in self.names] + [
            n for n in self.names if n not in official and n not in only_asked
        ]

    def has(self, question: Question) -> bool:
        """Whether it has a code, under its own name or its photograph's."""
        return question.name in self.asked or question.image in self.asked

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """None is known."""
        return [], []

    def stand(self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor]) -> Standing:
        """Compares the codes."""
        asked = [self.asked.get(q.name, self.asked.get(q.image, ABSENT)) for q in questions]
        queries, codes = self.queries[torch.tensor(asked)], self.codes[torch.tensor([self.names[n] for n in database])]
        if self.index is not None:
            return searched(self.index(), queries, torch.cat(parts(codes, self.more)), matter, k=LISTED)
        return stand(queries, parts(codes, self.more), matter, k=LISTED)


def parts(codes: Tensor, more: Tensor | None) -> list[Tensor]:
    """A database's parts."""
    return [codes] if more is None else [codes, more]


def read_descriptors(path: Path) -> tuple[dict[str, int], Tensor]:
    """Names, with the row of each, and codes (n, D) float32.

    Raises:
        UserError: files that cannot be read, names that are not as many or stand there twice, or codes that are none.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "pt") as file:
                codes, names = file.get_tensor("codes").float(), json.loads((file.metadata() or {})["names"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise UserError(
                f"{path}: cannot be read ({error}); wanted: a tensor codes, and its names as a list in the metadata."
            ) from None
        check_codes(path, codes)
        listed = path
    else:
        codes, listed = read_codes(path), path.with_suffix(".txt")
        try:
            names = [line.strip() for line in listed.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{listed}: cannot be read ({error}); it names the photographs, a line a code.") from None
    if len(names) != len(codes):
        raise UserError(f"{path}: {len(codes):,} codes, and {len(names):,} names in {listed}.")
    rows: dict[str, int] = {}
    for row, name in enumerate(map(plain, names)):
        if name in rows:
            raise UserError(f"{listed}: {name} stands there twice, as codes {rows[name]:,} and {row:,}.")
        rows[name] = row
    return rows, codes


def read_codes(path: Path) -> Tensor:
    """Codes (n, D) float32 of a ``.npy``, mapped from the file where they are float32.

    Raises:
        UserError: it cannot be read, is no such table, or has codes that are no numbers or zero.
    """
    try:
        found = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error}); wanted: a .npy of (n, D) numbers.") from None
    if found.ndim != 2 or found.dtype.kind != "f":
        raise UserError(f"{path}: {found.dtype} of shape {found.shape}; wanted: float32 (n, D), a code a row.")
    codes = torch.from_numpy(found if found.dtype == np.float32 else found.astype(np.float32))
    check_codes(path, codes)
    return codes


def check_codes(path: Path, codes: Tensor, block: int = 2**16) -> None:
    """Refuses codes that cannot be compared.

    Raises:
        UserError: no table, numbers that are none, or a code that is zero.
    """
    if codes.ndim != 2:
        raise UserError(f"{path}: codes of shape {tuple(codes.shape)}; wanted: (n, D), a code a row.")
    for start in range(0, len(codes), block):
        length = codes[start : start + block].norm(dim=1)
        for wrong, what in ((~length.isfinite(), "is not finite"), (length == 0, "is zero")):
            if wrong.any():
                raise UserError(f"{path}: code {start + int(wrong.nonzero()[0]):,} {what}, so nothing is near it.")


class Rankings:
    """Rankings in a text file, whoever made them; what they leave out is not found.

    Args:
        lists: the ranked names of each query, best first, by the query's name.
        path: the file, for messages.
    """

    def __init__(self, lists: Mapping[str, Sequence[str]], path: Path) -> None:
        self.lists = lists
        self.path = path

    def database(self, truth: Truth) -> list[str]:
        """The official photographs, or all that are ranked where the ground truth names only some."""
        if truth.database:
            return list(truth.database)
        named = {name for q in truth.questions for names in q.lists.values() for name in names}
        return sorted(named.union(*self.lists.values()))

    def has(self, question: Question) -> bool:
        """Whether its ranking is there, under its own name or its photograph's."""
        return question.name in self.lists or question.image in self.lists

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """None is known."""
        return [], []

    def stand(self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor]) -> Standing:
        """Looks up where images stand.

        Raises:
            UserError: a ranked name that is none of the database's.
        """
        place = {name: position for position, name in enumerate(database)}
        rows, ranks = [], []
        for question, wanted in zip(questions, matter, strict=True):
            names = self.lists[question.name if question.name in self.lists else question.image]
            for name in names:
                if name not in place:
                    raise UserError(f"{self.path}: {question.name} ranks {name}, which is not in the database.")
            row = torch.tensor([place[name] for name in names], dtype=torch.int64)
            rank = torch.full((len(database),), ABSENT)
            rank[row] = torch.arange(len(row))
            ranks.append(rank[wanted])
            rows.append(row)
        width = max(map(len, rows), default=0)
        lists = torch.full((len(rows), width), ABSENT)
        for number, row in enumerate(rows):
            lists[number, : len(row)] = row
        query, image = flat(matter)
        order = torch.argsort(query * len(database) + image)
        rank = torch.cat([torch.empty(0, dtype=torch.int64), *ranks])
        return Standing(len(rows), len(database), query[order], image[order], rank[order], lists)


def read_rankings(path: Path, *, places: bool = False) -> Rankings:
    """Reads rankings, a query a line: its name, then the ranked names, best first, each followed by a score or not.

    Args:
        path: the file.
        places: whether a place stands before each ranked name, as in Holidays' result files.

    Raises:
        UserError: it cannot be read, a query or a ranked name stands there twice, or places that do not ascend.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
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
        if len(set(names)) < len(names):
            raise UserError(f"{where}: {next(n for n in names if names.count(n) > 1)} is ranked twice.")
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
    order = sorted(range(len(names)), key=lambda i: int(numbers[i]))
    return [names[i] for i in order]
