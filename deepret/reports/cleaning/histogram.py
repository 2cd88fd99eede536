"""A histogram of scores: pairs of different classes against pairs of one, and the threshold between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepret.reports.dots import scale_of

Array = npt.NDArray[np.float64]

BINS = 50
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 58, 12, 26, 44
"""Of the drawing and its margins."""
NONE, GAP = 34, 14
"""Width of the column of pairs that have nothing in common, and of the space beside it."""
LEAST = 0.5
"""The count at the foot of the logarithmic axis, so that a bar of one pair shows."""


@dataclass(frozen=True)
class Histogram:
    """What is drawn, in units of the drawing.

    Args:
        across, within: outlines of the two histograms, SVG paths.
        none: left, top, width and height of the columns of pairs with nothing in common, across and within.
        x, y: ticks: place and text.
        thresholds: places of the lowest and the highest threshold.
        words: the threshold.
        start: where the axis of scores begins.
    """

    across: str
    within: str
    none: list[tuple[float, float, float, float]]
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
    across: Array, within: Array, none: tuple[int, int], thresholds: tuple[float, float], words: str
) -> Histogram | None:
    """Draws scores; None where nothing was compared.

    Args:
        across, within: scores of pairs that have something in common.
        none: how many pairs across, and within, have nothing in common.
        thresholds: the lowest and the highest.
        words: the threshold, as the drawing says it.
    """
    if not len(across) + len(within) + sum(none):
        return None
    largest = max([*thresholds, *(float(s.max()) for s in (across, within) if len(s))])
    _, high, step = scale_of(0.0, largest)
    counts = [np.histogram(scores, BINS, (0.0, high))[0] for scores in (across, within)]
    most = max(1, *none, *(int(count.max()) for count in counts))
    start, end, foot = LEFT + NONE + GAP, WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(score: float) -> float:
        return start + (end - start) * score / high

    def y(count: float) -> float:
        share = math.log(max(count, LEAST) / LEAST) / math.log(1.3 * most / LEAST)
        return round(foot - (foot - TOP) * share, 1)

    edges = [x(high * i / BINS) for i in range(BINS + 1)]
    return Histogram(
        across=outline(counts[0].tolist(), edges, y),
        within=outline(counts[1].tolist(), edges, y),
        none=[(LEFT + 2 + i * NONE / 2, y(n), NONE / 2 - 2, foot - y(n)) for i, n in enumerate(none)],
        x=[(x(i * step), f"{i * step:g}") for i in range(round(high / step) + 1)],
        y=[(y(10**i), f"{10**i:,}") for i in range(len(str(most)))],
        thresholds=(x(thresholds[0]), x(thresholds[1])),
        words=words,
    )


def outline(counts: Sequence[int], edges: Sequence[float], y: Callable[[float], float]) -> str:
    """The upper edge of bars as an SVG path, down to the foot where there are none."""
    steps = "".join(f"V{y(count):g}H{right:.1f}" for count, right in zip(counts, edges[1:], strict=True))
    return f"M{edges[0]:.1f} {y(0):g}{steps}V{y(0):g}Z"
