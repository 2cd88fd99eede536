"""Descriptor × dimensions: what is left after a PCA, as a table for each benchmark and as curves."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from deepret.reports.lines import lines as drawn
from deepret.reports.table import Table
from deepret.reports.tables.line import Line, in_unit, metric_of, titles_of, unit_of

SOURCE = "Babenko et al. 2014, published"
PUBLISHED = {
    ("oxford5k", "mAP"): {
        "Neural Codes layer 6": {16: 32.8, 32: 39.0, 64: 42.1, 128: 43.3, 256: 43.5, 512: 43.5},
        "Neural Codes layer 6, landmarks": {16: 41.8, 32: 51.5, 64: 54.8, 128: 55.7, 256: 55.7, 512: 55.7},
        "Neural Codes layer 6, turntable": {16: 28.9, 32: 34.9, 64: 37.7, 128: 39.1, 256: 39.2, 512: 39.3},
    }
}
"""Of a whole benchmark and a metric, what others have published with a plain PCA, in per cent."""


def reduced_tables(
    lines: Sequence[Line], columns: Sequence[str], dims: Sequence[int], whitening: Sequence[float]
) -> dict[str, Table]:
    """A table for each benchmark and whitening, by its title: a row for each descriptor, a column for each number.

    Args:
        lines: the descriptors.
        columns: the benchmarks' names.
        dims: numbers of dimensions.
        whitening: of the PCA, each.
    """
    found: dict[str, Table] = {}
    for column in columns:
        metric = metric_of(lines, column)
        for share in whitening:
            rows: list[list[object]] = [
                [line.name, *(shown(line.reduced[column, share].get(d), metric) for d in dims), whole(line, column)]
                for line in lines
                if (column, share) in line.reduced
            ]
            for title in titles_of(lines, column) if share == 0 else []:
                for system, figures in PUBLISHED.get((title, metric), {}).items():
                    rows.append([f"{system} ({SOURCE})", *map(figures.get, dims), None])
            if rows:
                title = title_of(column, metric, share)
                found[f"Fewer dimensions: {title}"] = (["descriptor", *map(str, dims), "all"], rows)
    return found


def curves(
    lines: Sequence[Line], columns: Sequence[str], dims: Sequence[int], whitening: Sequence[float]
) -> Image.Image | None:
    """The same as curves, a line for each descriptor; None where nothing is measured yet."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for column in columns:
        metric = metric_of(lines, column)
        for share in whitening:
            found = {}
            for line in lines:
                values = line.reduced.get((column, share), {})
                points = [(float(d), in_unit(v, metric)) for d in dims if (v := values.get(d)) is not None]
                if points:
                    found[line.name] = points
            for title in titles_of(lines, column) if found and share == 0 else []:
                for system, figures in PUBLISHED.get((title, metric), {}).items():
                    points = [(float(d), figures[d]) for d in dims if d in figures]
                    if points:
                        found[f"{system} ({SOURCE})"] = points
            if found:
                panels[title_of(column, metric, share)] = found
    return drawn(panels, "dimensions") if panels else None


def reduced_rows(lines: Sequence[Line], columns: Sequence[str]) -> list[list[object]]:
    """Every figure, the header first, as CSV has them: shares in 0…1."""
    rows: list[list[object]] = [["descriptor", "benchmark", "whitening", "dims", "metric", "value"]]
    for line in lines:
        for (column, share), values in line.reduced.items():
            if column in columns:
                metric = metric_of(lines, column)
                rows += [[line.name, column, f"{share:g}", d, metric, written(v)] for d, v in values.items()]
    return rows


def title_of(column: str, metric: str, whitening: float) -> str:
    """What a table, or a panel, is called."""
    kind = {0.0: "PCA", 1.0: "PCA-whitening"}.get(whitening, f"PCA, whitening {whitening:g}")
    return f"{unit_of(metric)} on {column}, {kind}"


def shown(value: float | None, metric: str) -> float | None:
    """A figure as tables have it."""
    return None if value is None else in_unit(value, metric)


def whole(line: Line, column: str) -> float | None:
    """The figure of all of a descriptor's dimensions, without any PCA."""
    return line.scores[column].shown if column in line.scores else None


def written(value: float | None) -> str:
    """A figure as CSV has it."""
    return "" if value is None else f"{value:.5f}"
