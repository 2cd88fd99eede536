"""Measures what is not measured yet, row by row, and goes on where one row fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from deepret.errors import UserError
from deepret.programs.tables.asked import Asked, read
from deepret.programs.tables.cells import Cell
from deepret.programs.tables.columns import Column
from deepret.programs.tables.composed import Composer
from deepret.programs.tables.measured import Descriptor, Once, figures_of
from deepret.programs.tables.progress import Progress, called, weights_of
from deepret.programs.tables.rows import Row
from deepret.reports.results import Results
from deepret.reports.tables.line import in_unit, unit_of


def measure(
    asked: Asked,
    fit: Column,
    composer: Composer,
    results: Results,
    timed: int,
    after: Callable[[Mapping[str, str]], object],
    retime: bool = False,
) -> dict[str, str]:
    """Measures all that results do not have; what went wrong with which row.

    Times come last, one row after the other, so that all are measured in like circumstances.

    Args:
        asked: rows, columns and cells.
        fit: what parts are fitted on.
        composer: makes configurations.
        results: where it is noted what came of each cell.
        timed: photographs that the time of one is measured on.
        after: called after each row, with what went wrong until then.
        retime: whether times are measured again.

    Raises:
        UserError: results cannot be written.
    """
    entries = results.entries()
    every = [cell for cells in asked.cells.values() for cell in cells]
    left = [cell for cell in every if read(cell, entries) is None or (retime and cell.kind == "size")]
    left.sort(key=lambda cell: cell.kind == "size")
    print(f"{len(every) - len(left):,} of {len(every):,} cells are measured already", flush=True)
    failed: dict[str, str] = {}
    unmade: set[tuple[Row, tuple[str, ...]]] = set()
    progress = Progress(weights_of(left, composer, fit.catalogue.splits.count("train"), timed))
    with progress.bar:
        for (row, _), group in groupby(left, key=lambda cell: (cell.row, cell.kind == "size")):
            cells = list(group)
            progress.row(row, cells)
            for more in dict.fromkeys(cell.more for cell in cells):
                own = [cell for cell in cells if cell.more == more]
                try:
                    if (row, more) in unmade:
                        raise UserError(failed[row.name])
                    progress.begin(own[0])
                    descriptor = Descriptor(row, composer.config(row, more), fit, asked.dims)
                except UserError as error:
                    unmade.add((row, more))
                    failed[row.name] = joined(failed.get(row.name), str(error))
                    progress.end(f"{row.name}: {error}", own)
                    continue
                for wrong in measure_row(own, descriptor, results, timed, progress):
                    failed[row.name] = joined(failed.get(row.name), wrong)
            after(failed)
    return failed


def measure_row(
    cells: Sequence[Cell], descriptor: Descriptor, results: Results, timed: int, progress: Progress
) -> list[str]:
    """Measures cells of one descriptor, column by column: codes of one are let go before the next; what went wrong."""
    wrong = []
    for column in dict.fromkeys(cell.column and cell.column.name for cell in cells):
        describe = Once(descriptor.describe)
        for cell in cells:
            if (cell.column and cell.column.name) != column:
                continue
            progress.begin(cell)
            results.begin(cell)
            start = time.perf_counter()
            try:
                figures = figures_of(cell, descriptor, describe, timed)
            except UserError as error:
                wrong.append(f"{column}: {error}" if column else str(error))
                progress.end(f"{called(cell)}: {error}", [cell])
                continue
            seconds = time.perf_counter() - start
            results.finish(cell, figures, seconds)
            progress.end(f"{called(cell)}: {said(figures)}", [cell], seconds)
    return wrong


def said(figures: Mapping[str, Any]) -> str:
    """What came of a cell, in a line."""
    if "dim" in figures:
        return f"{figures['dim']:,} dimensions, {figures['ms']:.0f} ms an image"
    if "dims" in figures:
        return f"with {', '.join(d for d, value in figures['dims'].items() if value is not None) or 'no'} dimensions"
    return f"{unit_of(figures['metric'])} {in_unit(figures['value'], figures['metric']):.2f}"


def joined(before: str | None, more: str) -> str:
    """What went wrong, each thing once."""
    return more if not before else before if more in before else f"{before} {more}"
