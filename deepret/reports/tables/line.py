"""What is known of one descriptor: its size, its figures on each benchmark, or why it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deepret.benchmarks.result import SCORES

Reduced = dict[int, float | None]
"""Dimensions → figure; None where the descriptor has no so many, or was not fitted on enough photographs."""


@dataclass(frozen=True)
class Score:
    """A figure on a benchmark.

    Args:
        benchmark: the name that the result has, which says so where the copy is partial.
        metric: what the figure is.
        value: a share in 0…1, or a score.
        counts: what was asked and ranked.
        experiment: what the descriptor is, where its parts are those of an experiment as it is.
    """

    benchmark: str
    metric: str
    value: float
    counts: Mapping[str, int] = field(default_factory=dict)
    experiment: str = ""

    @property
    def shown(self) -> float:
        """A share in per cent, a score as it is."""
        return in_unit(self.value, self.metric)

    @property
    def unit(self) -> str:
        """The metric's name, and that it is in per cent."""
        return unit_of(self.metric)


@dataclass(frozen=True)
class Size:
    """How large a code is and how long it takes.

    Args:
        dim: dimensions.
        ms: milliseconds from one photograph to its code.
        machine: where that was measured.
        images: on how many photographs.
    """

    dim: int
    ms: float
    machine: str
    images: int


@dataclass(frozen=True)
class Line:
    """One descriptor.

    Args:
        name: what it was asked for by.
        scores: by column.
        reduced: by column and whitening, the figures of fewer dimensions.
        size: None where it was not measured.
        why: what was wrong where something is missing.
    """

    name: str
    scores: Mapping[str, Score] = field(default_factory=dict)
    reduced: Mapping[tuple[str, float], Reduced] = field(default_factory=dict)
    size: Size | None = None
    why: str = ""


def in_unit(value: float, metric: str) -> float:
    """A share in per cent, a score as it is."""
    return value if metric in SCORES else 100 * value


def unit_of(metric: str) -> str:
    """A metric's name, and that it is in per cent."""
    return metric if metric in SCORES else f"{metric} %"


def metric_of(lines: Sequence[Line], column: str) -> str:
    """What the figures of a column are."""
    return next((line.scores[column].metric for line in lines if column in line.scores), "mAP")


def titles_of(lines: Sequence[Line], column: str) -> list[str]:
    """The names of what a column's figures were measured on; one, unless photographs have changed meanwhile."""
    return list(dict.fromkeys(line.scores[column].benchmark for line in lines if column in line.scores))
