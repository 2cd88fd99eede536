"""Rankings of codes in files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepret.benchmarks.searched import Index
from deepret.benchmarks.sources.source import Compared, ranked
from deepret.benchmarks.standing import ABSENT
from deepret.benchmarks.truth import Question, Truth, plain
from deepret.errors import UserError

BLOCK = 2**16
"""Codes that are looked at, or made float32, at once."""
SHORTEST, LONGEST = 1e-15, 1e19
"""Between these lengths a product of two codes is a number of float32, neither zero nor infinite."""


class Descriptors(Compared):
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
        super().__init__(index)
        self.file = path if queries is None else queries
        self.names, self.table = read_descriptors(path)
        self.asked, self.queries = (self.names, self.table) if queries is None else read_descriptors(queries)
        self.more = None if more is None else read_codes(more)
        self.added = 0 if self.more is None else len(self.more)
        for other, codes in ((queries, self.queries), (more, self.more)):
            if codes is not None and codes.shape[1] != self.table.shape[1]:
                raise UserError(
                    f"{other}: its codes have {codes.shape[1]} dimensions, and those of {path} {self.table.shape[1]}."
                )

    def database(self, truth: Truth) -> list[str]:
        """The official photographs that have codes, and all others; without those that only queries show."""
        return ranked(truth, self.names if truth.database else sorted(self.names))

    def has(self, question: Question) -> bool:
        """Whether it has a code, under its own name or its photograph's."""
        return question.name in self.asked or question.image in self.asked

    def whole(self, question: Question, database: Container[str]) -> bool:
        """Whether it has a box, and the code that its photograph has in the database."""
        name = question.name if question.name in self.asked else question.image
        return question.box is not None and self.asked is self.names and name in database

    def codes(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
        """As they are; those of the database stay in their file where it has them in the official order alone."""
        asked = [self.asked.get(q.name, self.asked.get(q.image, ABSENT)) for q in questions]
        rows = torch.tensor([self.names[name] for name in database])
        in_order = torch.equal(rows, torch.arange(len(self.table)))
        tables = [self.table if in_order else self.table[rows]]
        return self.queries[torch.tensor(asked)], tables if self.more is None else [*tables, self.more]


def read_descriptors(path: Path) -> tuple[dict[str, int], Tensor]:
    """Names, with the row of each, and codes (n, D) float32.

    Raises:
        UserError: files that cannot be read, names that are not as many or stand there twice, or codes that are none.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "pt") as file:
                codes = file.get_tensor("codes")
                names = json.loads((file.metadata() or {})["names"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(
                f"{path}: cannot be read ({error}); wanted: a tensor codes, and its names as a list in the metadata."
            ) from None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{path}: names in its metadata is not a list of names.")
        if not codes.is_floating_point():
            kind = str(codes.dtype).removeprefix("torch.")
            raise UserError(f"{path}: codes of {kind}; wanted: float32 (n, D), a code a row.")
        codes = codes.float()
        check_codes(path, codes)
        listed = path
    else:
        codes, listed = read_codes(path), path.with_suffix(".txt")
        try:
            names = [line.strip() for line in listed.read_text("utf-8-sig").splitlines() if line.strip()]
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
    except Exception as error:  # a broken file raises anything
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"{path}: cannot be read ({said}); wanted: a .npy of (n, D) numbers.") from None
    if not isinstance(found, np.ndarray):
        raise UserError(f"{path}: it holds several tables; wanted: a .npy, one of (n, D) numbers.")
    if found.ndim != 2 or found.dtype.kind != "f":
        raise UserError(f"{path}: {found.dtype} of shape {found.shape}; wanted: float32 (n, D), a code a row.")
    codes = torch.from_numpy(found if found.dtype == np.float32 else _single(found))
    check_codes(path, codes)
    return codes


def _single(found: np.ndarray) -> np.ndarray:
    """A table float32, made of one that is mapped from its file a block at a time."""
    codes = np.empty(found.shape, dtype=np.float32)
    with np.errstate(over="ignore"):  # what becomes infinite is told with its row
        for start in range(0, len(found), BLOCK):
            codes[start : start + BLOCK] = found[start : start + BLOCK]
    return codes


def check_codes(path: Path, codes: Tensor, block: int = BLOCK) -> None:
    """Refuses codes that cannot be compared.

    Raises:
        UserError: no table, numbers that are none, or a code that is zero, or too short or too long for float32.
    """
    if codes.ndim != 2:
        raise UserError(f"{path}: codes of shape {tuple(codes.shape)}; wanted: (n, D), a code a row.")
    for start in range(0, len(codes), block):
        part = codes[start : start + block]
        length = part.norm(dim=1)
        if len(wrong := (~((length > SHORTEST) & (length < LONGEST))).nonzero()):
            row = int(wrong[0])
            exact = float(part[row].double().norm())
            if not math.isfinite(exact) or exact == 0:
                what = "is zero" if exact == 0 else "is not finite"
                raise UserError(f"{path}: code {start + row:,} {what}, so nothing is near it.")
            raise UserError(
                f"{path}: code {start + row:,} is {exact:.3g} long, so that its inner products are no numbers of "
                f"float32: multiply all codes by one number, or give them the length 1."
            )
