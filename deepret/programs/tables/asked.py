"""All that a table was asked for, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from deepret.programs.tables.cells import Cell
from deepret.programs.tables.columns import Column
from deepret.programs.tables.rows import Row, experiment_of, latest
from deepret.reports.results import Entry
from deepret.reports.tables.line import Line, Reduced, Score, Size


@dataclass
class Asked:
    """Rows, columns and cells.

    Args:
        rows: descriptors.
        trained: networks of checkpoints before and after their training.
        viewed: descriptors, and each with several views by what these are called.
        columns: benchmarks.
        dims: fewer dimensions.
        whitening: of the PCA, each.
        words: of all descriptors.
        cells: what there is to measure of each row.
    """

    rows: Sequence[Row]
    trained: Sequence[tuple[Row, Row]]
    viewed: Sequence[tuple[Row, Sequence[tuple[str, Row]]]]
    columns: Sequence[Column]
    dims: Sequence[int]
    whitening: Sequence[float]
    words: Sequence[str] = ()
    cells: dict[Row, list[Cell]] = field(default_factory=dict)

    def first_rows(self) -> list[Row]:
        """The rows of the first table, which are tried with fewer dimensions, too."""
        return [*self.rows, *(after for _, after in self.trained)]

    def all_rows(self) -> list[Row]:
        """Every row, each once."""
        pairs = [row for pair in self.trained for row in pair]
        views = [row for plain, others in self.viewed for row in (plain, *(other for _, other in others))]
        return list(dict.fromkeys([*self.rows, *pairs, *views]))

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    def line(self, row: Row, entries: Mapping[str, Entry], failed: Mapping[str, str]) -> Line:
        """What is known of a row.

        Args:
            row: the network.
            entries: what is measured, by the cells' names.
            failed: by the rows' names, what was wrong.
        """
        scores: dict[str, Score] = {}
        reduced: dict[tuple[str, float], Reduced] = {}
        size = None
        for cell in self.cells[row]:
            found = read(cell, entries)
            if isinstance(found, Size):
                size = found
            elif isinstance(found, Score) and cell.column is not None:
                words = latest(self.words, row.words, cell.column.more)
                scores[cell.column.name] = replace(found, experiment="" if row.checkpoint else experiment_of(words))
            elif found is not None and cell.column is not None:
                assert not isinstance(found, Score)
                reduced[cell.column.name, cell.whitening] = found
        return Line(row.name, scores, reduced, size, failed.get(row.name, ""))


def read(cell: Cell, entries: Mapping[str, Entry]) -> Size | Score | Reduced | None:
    """What is measured of a cell; None where it is not, or where its entry is not whole."""
    try:
        figures = entries[cell.name]["figures"]
        if cell.kind == "size":
            return Size(int(figures["dim"]), float(figures["ms"]), str(figures["on"]), int(figures["images"]))
        if cell.kind == "scores":
            benchmark, metric = str(figures["benchmark"]), str(figures["metric"])
            return Score(benchmark, metric, float(figures["value"]), dict(figures["counts"]))
        return {int(dims): None if value is None else float(value) for dims, value in figures["dims"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
