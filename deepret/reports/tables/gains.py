"""What one network gains over another: after a training over before it, several views over one."""

from __future__ import annotations

from collections.abc import Sequence

from deepret.reports.table import Table
from deepret.reports.tables.line import Line, metric_of, unit_of


def before_and_after(pairs: Sequence[tuple[Line, Line]], columns: Sequence[str]) -> Table:
    """A row for each network, its figures before and after training side by side.

    Args:
        pairs: the network before, and after.
        columns: the benchmarks' names.
    """
    lines = [line for pair in pairs for line in pair]
    header = ["network"]
    for column in columns:
        header += [f"{column}, {unit_of(metric_of(lines, column))} before", f"{column}, after", f"{column}, gain"]
    rows: list[list[object]] = []
    for before, after in pairs:
        row: list[object] = [after.name]
        for column in columns:
            row += [figure(before, column), figure(after, column), gain(before, after, column)]
        rows.append(row)
    return header, rows


def view_table(groups: Sequence[tuple[Line, Sequence[tuple[str, Line]]]], columns: Sequence[str]) -> Table:
    """Rows of one descriptor in one view of each photograph, and in several, with what these gain.

    Args:
        groups: a descriptor, and of each kind of views what they are called and the same descriptor with them.
        columns: the benchmarks' names.
    """
    lines = [line for plain, others in groups for line in (plain, *(other for _, other in others))]
    header = ["descriptor", "views", "ms an image"]
    for column in columns:
        header += [f"{column}, {unit_of(metric_of(lines, column))}", f"{column}, gain"]
    rows: list[list[object]] = []
    for plain, others in groups:
        for name, line in [("one", plain), *others]:
            row: list[object] = [plain.name, name, line.size and round(line.size.ms, 1)]
            for column in columns:
                row += [figure(line, column), None if line is plain else gain(plain, line, column)]
            rows.append(row)
    return header, rows


def figure(line: Line, column: str) -> float | None:
    """A line's figure; None where it has none."""
    return line.scores[column].shown if column in line.scores else None


def gain(one: Line, other: Line, column: str) -> float | None:
    """How much larger the other's figure is; None unless both were measured on the same."""
    if column not in one.scores or column not in other.scores:
        return None
    first, second = one.scores[column], other.scores[column]
    return second.shown - first.shown if first.benchmark == second.benchmark else None
