"""How the tables of descriptors are told: text, a page of Markdown, CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deepret.comma_separated import comma_separated
from deepret.reports.table import Table, as_sections, cell
from deepret.reports.tables.line import Line
from deepret.reports.tables.scores import of_others

SIZE = ("descriptor", "dims", "bytes", "bytes in 8 bits", "ms an image")
COLUMNS = (*SIZE, "benchmark", "copy", "metric", "value", "published", "published system", "why")
"""Of the file of figures: one line for each descriptor and benchmark."""
NOT_BEST = ("ms an image", "figure")
"""Columns of a table of which the largest is not the best, or which hold what cannot be compared."""


def as_page(found: Mapping[str, Table], notes: Sequence[str], command: str) -> str:
    """Tables below their titles, with what has to be known of them, as a page of Markdown.

    Args:
        found: tables by their titles.
        notes: sentences.
        command: what makes it again.
    """
    listed = "\n".join(f"- {note}" for note in notes)
    tables = {title: with_best(*content) for title, content in found.items()}
    parts = ["# Descriptors", f"`{command}`", *as_sections(tables), *([listed] if listed else [])]
    return "\n\n".join(parts) + "\n"


def with_best(header: list[str], rows: list[list[object]]) -> Table:
    """A table with the best figure of each column that has several in bold, as Markdown has it."""
    found = [list(row) for row in rows]
    for i, name in enumerate(header):
        values = [row[i] for row in rows if isinstance(row[i], float)]
        if name in NOT_BEST or name.endswith(", gain") or len(values) < 2:
            continue
        best = max(map(cell, values), key=float)
        for row in found:
            if isinstance(row[i], float) and cell(row[i]) == best:
                row[i] = f"**{best}**"
    return header, found


def as_csv(lines: Sequence[Line], columns: Sequence[str]) -> str:
    """Every figure: shares in 0…1, what others have published as they have it; a line too for what has none."""
    rows: list[list[object]] = [list(COLUMNS)]
    for line in lines:
        dim, ms = ("", "") if line.size is None else (line.size.dim, f"{line.size.ms:.2f}")
        size = [line.name, dim, dim and 4 * dim, dim, ms]
        scored = [column for column in columns if column in line.scores]
        for column in scored:
            score, (system, published) = line.scores[column], of_others(line, column) or ("", "")
            figure = [score.benchmark, score.metric, f"{score.value:.5f}", published, system]
            rows.append([*size, column, *figure, line.why])
        if not scored:
            rows.append([*size, *[""] * 6, line.why])
    return comma_separated(rows)
