"""What there is to measure: each descriptor's size, its figures on each benchmark, and with fewer dimensions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deepret.programs.tables.columns import Column
from deepret.programs.tables.composed import Composer, content_of
from deepret.programs.tables.rows import Row, latest

DIGITS = 12
"""Of the digest in a cell's name."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One thing to measure, once: what results know a run by.

    Args:
        name: row, column and kind, and a digest of all that the figures depend on.
        words: what composes row and column, as eval.py takes it.
        shown: the command that gives the figures, those of all other cells with them.
        kind: the code's ``size`` and time; ``scores`` of the whole code; those of a ``reduced`` one.
        row: the network.
        column: the benchmark; None for the size.
        whitening: of a PCA.
    """

    name: str
    words: tuple[str, ...]
    shown: str
    kind: Literal["size", "scores", "reduced"]
    row: Row
    column: Column | None = None
    whitening: float = 0.0

    @property
    def more(self) -> tuple[str, ...]:
        """The column's words about descriptors."""
        return () if self.column is None else self.column.more


def cells_of(
    row: Row,
    columns: Sequence[Column],
    fit: Column,
    composer: Composer,
    dims: Sequence[int] = (),
    whitening: Sequence[float] = (),
    timed: int = 1,
    command: str = "",
) -> list[Cell]:
    """All cells of a row, in the order in which they are measured.

    Args:
        row: the network.
        columns: the benchmarks.
        fit: what parts are fitted on.
        composer: makes the row's configuration.
        dims: fewer dimensions; none by default.
        whitening: of the PCA, each.
        timed: photographs that the time of one is measured on.
        command: what measures all cells.

    Raises:
        UserError: the row does not compose.
    """
    given = tuple(word for word in (f"checkpoint={row.checkpoint}",) if row.checkpoint)
    of_fit = [fit.catalogue.digest()]

    def cell(kind: Literal["size", "scores", "reduced"], column: Column | None, share: float, *more: Any) -> Cell:
        extra = () if column is None else column.more
        content = [content_of(row, composer.config(row, extra)), of_fit, column and column.content, kind, *more]
        mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]
        place = "" if column is None else f" on {column.name}"
        what = {"size": ", size", "scores": "", "reduced": f", PCA {share:g}"}[kind]
        words = (*given, *latest(composer.words, row.words, () if column is None else column.words))
        return Cell(f"{row.name}{place}{what} [{mark}]", words, command, kind, row, column, share)

    config = composer.config(row)
    found = [cell("size", None, 0.0, timed, config.get("threads"), config.get("accelerator"))]
    for column in columns:
        found.append(cell("scores", column, 0.0))
        if dims:
            found += [cell("reduced", column, share, share, list(dims)) for share in whitening]
    return found
