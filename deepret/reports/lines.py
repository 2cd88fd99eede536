"""A picture of curves in panels: a line for each name over a logarithmic scale, named where it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from deepret.reports.dots import FAINT, INK, PAPER, TEXT, scale_of

WIDTH, HEIGHT, MARGIN, LEFT, ABOVE, BELOW, GAP = 720, 400, 24, 60, 34, 50, 14
"""Pixels: of a panel's scales, around all, left of, above and below each panel, between a line's end and its name."""
LEAD, MARK, ROW, TALL = 60, 5, TEXT + 6, 30
"""Pixels: from a line's end to its name, half a marker, between two names; of a panel's height for each of many."""
COLOURS = ("#1f5fa8", "#d1490c", "#12855b", "#8e3fa0", "#8a6a00", "#1498b8", "#c2185b")
MARKERS = ("circle", "square", "triangle", "diamond", "ring")
DASHES = ((), (10, 5), (3, 4), (12, 4, 3, 4), (6, 3))
"""Of a marker's lines: pixels drawn and left out in turn."""
Points = Sequence[tuple[float, float]]


class Style(NamedTuple):
    """How a line is drawn."""

    colour: str
    marker: str
    dash: tuple[int, ...]


def lines(panels: Mapping[str, Mapping[str, Points]], along: str) -> Image.Image:
    """Panels one below the other, each with its own upright scale; a name has one style in all of them.

    Args:
        panels: of each title the points (x > 0, y) by name, at least one of each.
        along: what x is.
    """
    font = ImageFont.load_default(size=TEXT)
    names = list(dict.fromkeys(name for found in panels.values() for name in found))
    style = dict(zip(names, styles(len(names)), strict=True))
    heights = {title: max(HEIGHT, TALL * len(found)) for title, found in panels.items()}
    across = WIDTH + LEAD + 2 * GAP + max(math.ceil(font.getlength(name)) for name in names)
    size = (2 * MARGIN + LEFT + across, 2 * MARGIN + sum(height + ABOVE + BELOW for height in heights.values()))
    sheet = Image.new("RGB", size, PAPER)
    top = MARGIN
    for title, found in panels.items():
        _panel(ImageDraw.Draw(sheet), title, found, style, along, top + ABOVE, heights[title])
        top += ABOVE + heights[title] + BELOW
    return sheet


def _panel(
    pen: ImageDraw.ImageDraw,
    title: str,
    found: Mapping[str, Points],
    style: Mapping[str, Style],
    along: str,
    top: int,
    height: int,
) -> None:
    """Draws one panel, its scales between ``top`` and ``top + height``."""
    font, bold = ImageFont.load_default(size=TEXT), ImageFont.load_default(size=TEXT + 2)
    left, right, bottom = MARGIN + LEFT, MARGIN + LEFT + WIDTH, top + height
    xs = sorted({x for points in found.values() for x, _ in points})
    ys = [y for points in found.values() for _, y in points]
    low, high, step = scale_of(min(ys), max(ys))
    span = max(math.log2(xs[-1] / xs[0]), 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + WIDTH * math.log2(x / xs[0]) / span, top + height * (high - y) / (high - low)

    pen.text((left, top - ABOVE // 2), title, INK, font=bold, anchor="lm")
    for tick in range(round((high - low) / step) + 1):
        _, at = place(xs[0], low + tick * step)
        pen.line([(left, at), (right, at)], fill=FAINT)
        pen.text((left - GAP, at), f"{low + tick * step:g}", INK, font=font, anchor="rm")
    for x in xs:
        at, _ = place(x, low)
        pen.line([(at, top), (at, bottom)], fill=FAINT)
        pen.text((at, bottom + 6), f"{x:g}", INK, font=font, anchor="mt")
    pen.text(((left + right) / 2, bottom + 8 + TEXT), along, INK, font=font, anchor="mt")
    ends = {name: place(*points[-1])[1] for name, points in found.items()}
    for name, at in apart(ends, top, bottom, ROW).items():
        colour, marker, dash = style[name]
        dots = [place(x, y) for x, y in found[name]]
        # A name's lead begins where its line ends, so leads keep the order of the ends and do not cross.
        label = right + LEAD
        _dashed(pen, dots[-1], (right, dots[-1][1]), pale(colour), (1, 4))
        pen.line([(right, dots[-1][1]), (label - GAP, at)], fill=pale(colour), width=1)
        for one, other in pairwise(dots):
            _dashed(pen, one, other, colour, dash)
        for x, y in [*dots, (label, at)]:
            _mark(pen, x, y, colour, marker)
        pen.text((label + GAP, at), name, colour, font=font, anchor="lm")


def _dashed(
    pen: ImageDraw.ImageDraw, one: tuple[float, float], other: tuple[float, float], colour: str, dash: tuple[int, ...]
) -> None:
    """Draws a line from one point to another, of pieces where it is dashed."""
    length = math.dist(one, other)
    if not dash or not length:
        pen.line([one, other], fill=colour, width=2)
        return
    done, turn = 0.0, 0
    while done < length:
        end = min(done + dash[turn % len(dash)], length)
        if turn % 2 == 0:
            pieces = [
                (a + (b - a) * done / length, a + (b - a) * end / length) for a, b in zip(one, other, strict=True)
            ]
            pen.line([(pieces[0][0], pieces[1][0]), (pieces[0][1], pieces[1][1])], fill=colour, width=2)
        done, turn = end, turn + 1


def _mark(pen: ImageDraw.ImageDraw, x: float, y: float, colour: str, marker: str) -> None:
    """Draws a marker around a point."""
    r = MARK
    if marker in ("circle", "ring"):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=PAPER if marker == "ring" else colour, outline=colour, width=2)
        return
    corners = {
        "square": [(-r, -r), (r, -r), (r, r), (-r, r)],
        "triangle": [(0, -r - 1), (r + 1, r), (-r - 1, r)],
        "diamond": [(0, -r - 2), (r + 2, 0), (0, r + 2), (-r - 2, 0)],
    }[marker]
    pen.polygon([(x + dx, y + dy) for dx, dy in corners], fill=colour)


def styles(count: int) -> list[Style]:
    """So many styles that are told apart: colours in turn, and another marker and dash in each round of them."""
    found = []
    for i in range(count):
        turn, place = divmod(i, len(COLOURS))
        # Beyond all rounds of one marker and its dash, markers are combined with others' dashes.
        dash = DASHES[(turn + turn // len(MARKERS)) % len(DASHES)]
        found.append(Style(COLOURS[place], MARKERS[turn % len(MARKERS)], dash))
    return found


def apart(places: Mapping[str, float], first: float, last: float, distance: float) -> dict[str, float]:
    """Places of names from top to bottom, in their order, each moved as little as can be.

    Args:
        places: where each wants to be.
        first: the topmost place.
        last: the lowest one; there is room for all between the two.
        distance: between two of them, at least.
    """
    order = sorted(places, key=lambda name: places[name])
    groups: list[list[float]] = []  # names side by side, by where the first of all would stand for each
    for i, name in enumerate(order):
        groups.append([places[name] - i * distance])
        while len(groups) > 1 and mean(groups[-2]) > mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    tops = [mean(group) for group in groups for _ in group]
    lowest = last - (len(order) - 1) * distance
    return {
        name: min(max(top, first), lowest) + i * distance for i, (name, top) in enumerate(zip(order, tops, strict=True))
    }


def pale(colour: str) -> str:
    """The same colour, halfway to the paper."""
    return "#" + "".join(f"{(int(colour[i : i + 2], 16) + 255) // 2:02x}" for i in (1, 3, 5))
