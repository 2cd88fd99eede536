"""Measures what is not measured yet, row by row, and goes on where one row fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from deepret.errors import UserError
from deepret.programs.tables.asked import Asked
from deepret.programs.tables.cells import Cell
from deepret.programs.tables.columns import Column
from deepret.programs.tables.composed import Composer
from deepret.programs.tables.measured import Descriptor, Once, figures_of
from deepret.reports.results import Results
from deepret.reports.tables.line import in_unit, unit_of


class Progress:
    """A bar over all cells with the time that is left, or on no terminal a line for each.

    Args:
        total: cells that are to be measured.
    """

    def __init__(self, total: int) -> None:
        self.bar = tqdm(total=total, unit=" cells", disable=None)
        self.total = total
        self.done = 0
        self.start = time.perf_counter()

    def begin(self, cell: Cell) -> None:
        """Says what is measured now."""
        self.bar.set_description(called(cell))

    def end(self, said: str, count: int = 1) -> None:
        """Says what has come of cells.

        Args:
            said: a line.
            count: how many cells it is about.
        """
        self.done += count
        self.bar.update(count)
        minutes = (time.perf_counter() - self.start) / self.done * (self.total - self.done) / 60
        tqdm.write(f"[{self.done} of {self.total}, about {minutes:.0f} min left] {said}")


def measure(
    asked: Asked,
    fit: Column,
    composer: Composer,
    results: Results,
    timed: int,
    after: Callable[[Mapping[str, str]], object],
) -> dict[str, str]:
    """Measures all that results do not have; what went wrong with which row.

    Args:
        asked: rows, columns and cells.
        fit: what parts are fitted on.
        composer: makes configurations.
        results: where it is noted what came of each cell.
        timed: photographs that the time of one is measured on.
        after: called after each row, with what went wrong until then.

    Raises:
        UserError: results cannot be written.
    """
    entries = results.entries()
    left = {row: [c for c in cells if "figures" not in entries.get(c.name, {})] for row, cells in asked.cells.items()}
    total, count = sum(map(len, asked.cells.values())), sum(map(len, left.values()))
    print(f"{total - count:,} of {total:,} cells are measured already", flush=True)
    failed: dict[str, str] = {}
    progress = Progress(count)
    with progress.bar:
        for row, cells in left.items():
            for more in dict.fromkeys(cell.more for cell in cells):
                own = [cell for cell in cells if cell.more == more]
                try:
                    progress.begin(own[0])
                    descriptor = Descriptor(row, composer.config(row, more), fit, asked.dims)
                except UserError as error:
                    failed[row.name] = joined(failed.get(row.name), str(error))
                    progress.end(f"{row.name}: {error}", len(own))
                    continue
                for wrong in measure_row(own, descriptor, results, timed, progress):
                    failed[row.name] = joined(failed.get(row.name), wrong)
            if cells:
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
                progress.end(f"{called(cell)}: {error}")
                continue
            results.finish(cell, figures, time.perf_counter() - start)
            progress.end(f"{called(cell)}: {said(figures)}")
    return wrong


def called(cell: Cell) -> str:
    """A cell's name without its digest."""
    return cell.name.rpartition(" [")[0]


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
