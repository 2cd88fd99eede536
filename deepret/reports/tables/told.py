"""How the tables of descriptors are told: text, a page of Markdown, CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deepret.comma_separated import comma_separated
from deepret.reports.table import Table, as_sections
from deepret.reports.tables.line import Line
from deepret.reports.tables.scores import of_others

SIZE = ("descriptor", "dims", "bytes", "bytes in 8 bits", "ms an image")
COLUMNS = (*SIZE, "benchmark", "copy", "metric", "value", "published", "why")
"""Of the file of figures: one line for each descriptor and benchmark."""


def as_page(found: Mapping[str, Table], notes: Sequence[str], command: str) -> str:
    """Tables below their titles, with what has to be known of them, as a page of Markdown.

    Args:
        found: tables by their titles.
        notes: sentences.
        command: what makes it again.
    """
    listed = "\n".join(f"- {note}" for note in notes)
    parts = ["# Descriptors", f"`{command}`", *as_sections(found), *([listed] if listed else [])]
    return "\n\n".join(parts) + "\n"


def as_csv(lines: Sequence[Line], columns: Sequence[str]) -> str:
    """Every figure: shares in 0…1, what others have published as they have it; a line too for what has none."""
    rows: list[list[object]] = [list(COLUMNS)]
    for line in lines:
        dim, ms = ("", "") if line.size is None else (line.size.dim, f"{line.size.ms:.2f}")
        size = [line.name, dim, dim and 4 * dim, dim, ms]
        scored = [column for column in columns if column in line.scores]
        for column in scored:
            score, others = line.scores[column], of_others(line, column)
            figure = [score.benchmark, score.metric, f"{score.value:.5f}", "" if others is None else others]
            rows.append([*size, column, *figure, line.why])
        if not scored:
            rows.append([*size, "", "", "", "", "", line.why])
    return comma_separated(rows)
