"""Descriptor × benchmark: figures, dimensions, bytes, time, and what others have published beside a whole copy."""

from __future__ import annotations

from collections.abc import Sequence

from deepret.benchmarks.published import beside_names, published
from deepret.reports.table import Table
from deepret.reports.tables.line import Line, Score, metric_of, titles_of, unit_of

OFF = ("R-MAC VGG16 off the shelf", "R-MAC ResNet-101 off the shelf")
ALEXNET = {f"neural_codes_l{n}_alexnet": (f"Neural Codes layer {n} off the shelf",) for n in (5, 6, 7)}
SYSTEMS = {
    **ALEXNET,
    "mac": ("max pooling",),
    "spoc": ("SPoC sum pooling",),
    "spoc_centre": ("SPoC sum pooling centred",),
    "rmac": OFF,
    "fisher16": ("Fisher k=16",),
    "fisher256": ("Fisher k=256",),
    "triangulation1": ("triangulation embedding k=1",),
    "triangulation16": ("triangulation embedding k=16",),
    "fisher_color": ("Fisher + colour",),
    "triangulation64_sift": ("triangulation embedding",),
    "sparse_sift": ("sparse-coded features",),
}
"""What published systems a descriptor is to be compared with, by the experiment's name.

Their backbones are others, so a figure is told with its system's name. Stand-ins of neural codes on another network,
and VLAD that is not adapted, have none.
"""


def score_table(lines: Sequence[Line], columns: Sequence[str]) -> Table:
    """A row for each descriptor, and for each benchmark a column, with one of published figures where it is whole.

    Args:
        lines: the descriptors.
        columns: the benchmarks' names.
    """
    compared = [column for column in columns if any(of_others(line, column) is not None for line in lines)]
    header = ["descriptor", "dims", "bytes", "in 8 bits", "ms an image"]
    for column in columns:
        header.append(f"{column}, {unit_of(metric_of(lines, column))}")
        if column in compared:
            header.append(f"{column}, published")
    rows: list[list[object]] = []
    for line in lines:
        dim = line.size and line.size.dim
        row: list[object] = [line.name, dim, dim and 4 * dim, dim, line.size and round(line.size.ms, 1)]
        for column in columns:
            row.append(line.scores[column].shown if column in line.scores else None)
            if column in compared:
                others = of_others(line, column)
                row.append(None if others is None else f"{others[1]:.2f} ({others[0]})")
        rows.append(row)
    return header, rows


def of_others(line: Line, column: str) -> tuple[str, float] | None:
    """The system and its published figure on a benchmark; None of a partial copy, of other parts, or where none is."""
    score = line.scores.get(column)
    if score is None:
        return None
    known = {system: value for system, value, _ in published().get(score.benchmark, {}).get(score.metric, [])}
    return next(((name, known[name]) for name in SYSTEMS.get(score.experiment, ()) if name in known), None)


def published_table(lines: Sequence[Line], columns: Sequence[str]) -> Table | None:
    """What others have published on the benchmarks of which there is a whole copy; None where there is none."""
    rows = beside_names(title for column in columns for title in titles_of(lines, column))
    return (["system", "benchmark", "metric", "figure", "source"], rows) if rows else None


def notes(lines: Sequence[Line], columns: Sequence[str]) -> list[str]:
    """What a reader has to know of the figures: what was asked, where times were measured, what is missing and why."""
    found = [f"{column}: {asked(score)}." for column in columns for score in first_scores(lines, column)]
    timed = dict.fromkeys((line.size.images, line.size.machine) for line in lines if line.size)
    found += [
        f"ms an image: {images} photograph{'s' if images != 1 else ''}, each by itself, from its file to its code, "
        f"timed twice; the median of the smaller times, on {machine}; retime=true measures it again."
        for images, machine in timed
    ]
    if any(value is None for line in lines for values in line.reduced.values() for value in values.values()):
        found.append(
            "Fewer dimensions: where there is no figure, there are not so many components. A PCA of n codes has n − 1, "
            "and no more than the codes have dimensions; a head that is a PCA has its own, and its own whitening alone."
        )
    return found + [f"{line.name}: {line.why}" for line in lines if line.why]


def first_scores(lines: Sequence[Line], column: str) -> list[Score]:
    """Of each name that a column's results have, the first score."""
    found: dict[str, Score] = {}
    for line in lines:
        if column in line.scores:
            found.setdefault(line.scores[column].benchmark, line.scores[column])
    return list(found.values())


def asked(score: Score) -> str:
    """A benchmark's name and size."""
    counts = score.counts
    return f"{score.benchmark}, {counts.get('queries', 0):,} queries of {counts.get('database', 0):,} photographs"
