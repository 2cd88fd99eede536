"""Writes and prints the tables, and sends them to W&B."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from deepret.comma_separated import comma_separated
from deepret.files import write_whole
from deepret.programs.tables.asked import Asked
from deepret.programs.tables.rows import Row
from deepret.reports.gallery import save_png
from deepret.reports.results import Results
from deepret.reports.table import Table, as_text
from deepret.reports.tables.gains import before_and_after, view_table
from deepret.reports.tables.line import Line
from deepret.reports.tables.reduced import curves, reduced_rows, reduced_tables
from deepret.reports.tables.scores import notes, published_table, score_table
from deepret.reports.tables.told import as_csv, as_page
from deepret.runs.logs import Logs

Failed = Mapping[str, str]


class Written:
    """The tables of what is measured, in a folder.

    Args:
        folder: where files go.
        asked: rows, columns and cells.
        results: what is measured.
        fitted: what parts were fitted on, in words.
        command: what makes the tables again.
        seen: what is to be said of classes that networks were trained on.
    """

    def __init__(
        self, folder: Path, asked: Asked, results: Results, fitted: str, command: str, seen: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.asked = asked
        self.results = results
        self.fitted = fitted
        self.command = command
        self.seen = list(seen)
        self.drawn: bytes | None = None  # the dims.csv that dims.png shows

    def lines(self, rows: list[Row], failed: Failed) -> list[Line]:
        """What is known of rows."""
        entries = self.results.entries()
        return [self.asked.line(row, entries, failed) for row in rows]

    def tables(self, failed: Failed) -> dict[str, Table]:
        """All tables by their titles."""
        asked = self.asked
        lines = self.lines(asked.first_rows(), failed)
        found = {"Descriptors and benchmarks": score_table(lines, asked.names)} if lines else {}
        if (others := published_table(lines, asked.names)) is not None:
            found["Published"] = others
        found |= reduced_tables(lines, asked.names, asked.dims, asked.whitening)
        every = {row: line for row, line in zip(asked.all_rows(), self.lines(asked.all_rows(), failed), strict=True)}
        if asked.trained:
            pairs = [(every[before], every[after]) for before, after in asked.trained]
            found["Before and after training"] = before_and_after(pairs, asked.names)
        if asked.viewed:
            groups = [
                (every[plain], [(name, every[other]) for name, other in others]) for plain, others in asked.viewed
            ]
            found["Several views of each photograph"] = view_table(groups, asked.names)
        return found

    def notes(self, failed: Failed) -> list[str]:
        """What has to be known of the figures."""
        return [
            f"Parts and PCAs are {self.fitted}.",
            *notes(self.lines(self.asked.all_rows(), failed), self.asked.names),
            *self.seen,
        ]

    def files(self, failed: Failed) -> None:
        """Writes all files.

        Raises:
            UserError: the disk is full.
        """
        asked, lines = self.asked, self.lines(self.asked.all_rows(), failed)
        page = as_page(self.tables(failed), self.notes(failed), self.command)
        write_whole(self.folder / "table.md", page.encode())
        write_whole(self.folder / "table.csv", as_csv(lines, asked.names).encode())
        reduced = comma_separated(reduced_rows(lines, asked.names)).encode()
        if reduced != self.drawn:  # a picture takes longer than all the rest
            write_whole(self.folder / "dims.csv", reduced)
            self._draw(lines)
            self.drawn = reduced

    def _draw(self, lines: list[Line]) -> None:
        drawn = curves(lines, self.asked.names, self.asked.dims, self.asked.whitening)
        if drawn is None:
            (self.folder / "dims.png").unlink(missing_ok=True)
        else:
            save_png(drawn, self.folder / "dims.png")

    def tell(self, failed: Failed) -> None:
        """Writes all files and prints the tables.

        Raises:
            UserError: the disk is full.
        """
        self.files(failed)
        print(f"\n{as_text(self.tables(failed))}\n")
        print("\n".join(self.notes(failed)))
        print(f"report: {self.folder / 'table.md'}", flush=True)

    def to_wandb(self, mode: Literal["offline", "online"], failed: Failed) -> None:
        """Makes a run of W&B with all tables and the picture."""
        asked, logs = self.asked, Logs(mode, models=False)
        words = {column.name: " ".join(column.words) for column in asked.columns}
        about = {"rows": [row.name for row in asked.all_rows()], "benchmarks": words, "fitted": self.fitted}
        logs.open(self.folder, about, f"table{time.strftime('%m%d%H%M%S')}", "table.csv")
        for title, (header, rows) in self.tables(failed).items():
            logs.results(header, rows, title)
        if (picture := self.folder / "dims.png").exists():
            logs.picture("dims", picture)
        for row, figures in self.summary(failed)["figures"].items():
            logs.summary({f"{column}/{row}": value for column, value in figures.items()})
        logs.close()

    def summary(self, failed: Failed) -> dict[str, Any]:
        """The figures that the last line prints: shares in 0…1."""
        lines = self.lines(self.asked.all_rows(), failed)
        figures = {line.name: {name: round(s.value, 5) for name, s in line.scores.items()} for line in lines}
        return {"figures": figures, "failed": dict(failed), "report": str(self.folder / "table.md")}
