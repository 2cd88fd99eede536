"""Results as plain text that people read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from deepret.benchmarks.published import beside
from deepret.benchmarks.result import SCORES, Result

Table = tuple[list[str], list[list[object]]]
"""A header and rows."""


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows in columns of one width, each value as ``cell`` writes it; text to the left, numbers to the right."""
    texts = [[cell(value) for value in row] for row in rows]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        for i in range(len(header))
    ]
    widths = [max(len(line[i]) for line in [list(header), *texts]) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        cells = (v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True))
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), line(["-" * w for w in widths]), *map(line, texts)])


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The same as a table of Markdown."""
    lines = [[*header], ["---"] * len(header), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in lines)


def as_text(found: Mapping[str, Table]) -> str:
    """Tables below their titles, as a terminal shows them."""
    return "\n\n".join(f"{title}\n{table(*content)}" for title, content in found.items())


def as_sections(found: Mapping[str, Table]) -> list[str]:
    """Tables below their titles, as parts of a page of Markdown."""
    return [f"## {title}\n\n{markdown(*content)}" for title, content in found.items()]


def cell(value: object) -> str:
    """One value: a float to two digits, an integer with commas, nothing or no number as a dash."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def results_columns(results: Mapping[str, Result]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of a table of results: a row for each descriptor, by its name, with the metrics in per cent."""
    metrics = list(dict.fromkeys(name for r in results.values() for name in r.metrics))
    header = ["", "benchmark", "queries", "images", *(name if name in SCORES else f"{name} %" for name in metrics)]
    rows: list[list[object]] = [
        [label, r.benchmark, r.counts["queries"], r.counts["database"], *(_shown(r.metrics, m) for m in metrics)]
        for label, r in results.items()
    ]
    return header, rows


def results_table(results: Mapping[str, Result]) -> str:
    """The table of ``results_columns`` as text; below it the other counts."""
    header, rows = results_columns(results)
    notes = []
    for r in results.values():
        more = [
            f"{name.replace('_', ' ')} {n:,}"
            for name, n in r.counts.items()
            if n and name not in ("queries", "database")
        ]
        if more:
            notes.append(f"{r.benchmark}: {', '.join(more)}.")
    return "\n".join([table(header, rows), *dict.fromkeys(notes)])


def results_report(results: Mapping[str, Result]) -> str:
    """The table of results, and below it what others have published on the same benchmarks."""
    others = published_table(results.values())
    return results_table(results) + (f"\n\n{others}\n" if others else "")


def published_table(results: Iterable[Result]) -> str:
    """What others have published on the same benchmarks, as text; empty where there is nothing or a copy is partial."""
    rows = beside(results)
    return f"published\n{table(['system', 'benchmark', 'metric', 'figure', 'source'], rows)}" if rows else ""


def _shown(metrics: Mapping[str, float], name: str) -> float | None:
    """A share in per cent, a score as it is; None where there is none."""
    value = metrics.get(name)
    return value if value is None or name in SCORES else 100 * value
