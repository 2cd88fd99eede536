"""A picture of curves in panels: a line for each name over a logarithmic scale, named where it ends."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from deepret.reports.dots import FAINT, INK, PAPER, TEXT, scale_of

WIDTH, HEIGHT, MARGIN, LEFT, ABOVE, BELOW, GAP = 560, 360, 24, 60, 34, 50, 14
"""Pixels: of a panel's scales, around all, left of, above and below each panel, between a line's end and its name."""
Points = Sequence[tuple[float, float]]


def lines(panels: Mapping[str, Mapping[str, Points]], along: str) -> Image.Image:
    """Panels one below the other, each with its own upright scale; a name has one colour in all of them.

    Args:
        panels: of each title the points (x > 0, y) by name, at least one of each.
        along: what x is.
    """
    font = ImageFont.load_default(size=TEXT)
    names = list(dict.fromkeys(name for found in panels.values() for name in found))
    colour = dict(zip(names, colours(len(names)), strict=True))
    heights = {title: max(HEIGHT, TEXT * (len(found) + 1)) for title, found in panels.items()}
    across = WIDTH + GAP + max(math.ceil(font.getlength(name)) for name in names)
    size = (2 * MARGIN + LEFT + across, 2 * MARGIN + sum(height + ABOVE + BELOW for height in heights.values()))
    sheet = Image.new("RGB", size, PAPER)
    top = MARGIN
    for title, found in panels.items():
        _panel(ImageDraw.Draw(sheet), title, found, colour, along, top + ABOVE, heights[title])
        top += ABOVE + heights[title] + BELOW
    return sheet


def _panel(
    pen: ImageDraw.ImageDraw,
    title: str,
    found: Mapping[str, Points],
    colour: Mapping[str, str],
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
    for name, at in apart(ends, top, bottom, TEXT).items():
        dots = [place(x, y) for x, y in found[name]]
        pen.line([*dots, (right + GAP - 2, at)], fill=colour[name], width=1)
        pen.line(dots, fill=colour[name], width=2)
        for x, y in dots:
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour[name])
        pen.text((right + GAP, at), name, colour[name], font=font, anchor="lm")


def colours(count: int) -> list[str]:
    """So many colours that are told apart: hues all around, dark and less dark in turn."""
    found = []
    for i in range(count):
        rgb = colorsys.hsv_to_rgb(i / count, 0.85, 0.55 if i % 2 else 0.8)
        found.append("#" + "".join(f"{round(255 * value):02x}" for value in rgb))
    return found


def apart(places: Mapping[str, float], first: float, last: float, distance: float) -> dict[str, float]:
    """Places of names from top to bottom, each moved as far as it has to be from the one above it.

    Args:
        places: where each wants to be.
        first: the topmost place.
        last: the lowest one; there is room for all between the two.
        distance: between two of them, at least.
    """
    order = sorted(places, key=lambda name: places[name])
    found: dict[str, float] = {}
    at = first - distance
    for name in order:
        at = max(places[name], at + distance)
        found[name] = at
    below = last + distance
    for name in reversed(order):
        below = min(found[name], below - distance)
        found[name] = below
    return found
