"""Histograms of scores over each other, and the threshold between."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepret.reports.cleaning.numbers import short
from deepret.reports.dots import scale_of

Array = npt.NDArray[np.float64]

BINS = 50
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 58, 20, 26, 44
"""Of the drawing and its margins."""
NONE, GAP = 42, 14
"""Width of the column of pairs that have nothing in common, and of the space beside it."""
LEAST = 0.5
"""The count at the foot of the logarithmic axis, so that a bar of one pair shows."""


@dataclass(frozen=True)
class Histogram:
    """What is drawn, in units of the drawing.

    Args:
        series: names of the histograms, and their outlines as SVG paths.
        none: names of the columns of pairs with nothing in common; their left, top, width and height.
        x, y: ticks: place and text.
        thresholds: places of the lowest and the highest threshold.
        words: the threshold.
        start: where the axis of scores begins.
    """

    series: list[tuple[str, str]]
    none: list[tuple[str, float, float, float, float]]
    x: list[tuple[float, str]]
    y: list[tuple[float, str]]
    thresholds: tuple[float, float]
    words: str
    start: float = LEFT + NONE + GAP
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    foot: int = HEIGHT - BOTTOM


def histogram(
    scores: Mapping[str, Array], none: Mapping[str, int], thresholds: tuple[float, float], words: str
) -> Histogram | None:
    """Draws scores; None where nothing was compared.

    Args:
        scores: by the name of a histogram, of pairs that have something in common.
        none: how many pairs of each have nothing in common.
        thresholds: the lowest and the highest.
        words: the threshold, as the drawing says it.
    """
    if not sum(map(len, scores.values())) + sum(none.values()):
        return None
    _, high, step = scale_of(0.0, max([*thresholds, *(float(some.max()) for some in scores.values() if len(some))]))
    counts = {name: np.histogram(some, BINS, (0.0, high))[0] for name, some in scores.items()}
    most = max(1, *none.values(), *(int(count.max()) for count in counts.values()))
    start, end, foot = LEFT + NONE + GAP, WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(score: float) -> float:
        return round(start + (end - start) * score / high, 1)

    def y(count: float) -> float:
        share = math.log(max(count, LEAST) / LEAST) / math.log(1.3 * most / LEAST)
        return round(foot - (foot - TOP) * share, 1)

    edges = [x(high * i / BINS) for i in range(BINS + 1)]
    column = NONE / len(scores)
    return Histogram(
        series=[(name, outline(count.tolist(), edges, y)) for name, count in counts.items()],
        none=[
            (name, LEFT + 2 + i * column, y(none[name]), column - 1, round(foot - y(none[name]), 1))
            for i, name in enumerate(scores)
        ],
        x=[(x(i * step), f"{i * step:g}") for i in range(round(high / step) + 1)],
        y=[(y(10**i), short(i)) for i in range(len(str(most)))],
        thresholds=(x(thresholds[0]), x(thresholds[1])),
        words=words,
    )


def outline(counts: Sequence[int], edges: Sequence[float], y: Callable[[float], float]) -> str:
    """The upper edge of bars as an SVG path, down to the foot where there are none."""
    steps = "".join(f"V{y(count):g}H{right:g}" for count, right in zip(counts, edges[1:], strict=True))
    return f"M{edges[0]:g} {y(0):g}{steps}V{y(0):g}Z"
