"""A picture of figures in groups: a line for each name, a dot for each figure and a stroke at their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from PIL import Image, ImageDraw, ImageFont

INK, PAPER, FAINT = "#222222", "#ffffff", "#dddddd"
COLOURS = ("#888888", "#2b5c8a", "#d95f02", "#1a9850", "#7570b3", "#b3387a")
WIDTH, LINE, MARGIN, NAMES, GAP, TEXT = 420, 30, 24, 170, 12, 14


def dots(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    unit: str,
    called: Callable[[str], str] = str,
    title: Callable[[str], str] = "on {}".format,
    width: int = WIDTH,
) -> Image.Image:
    """Groups one below the other on one scale, the first name's mean as a faint line through each.

    Args:
        groups: of each group the figures by name; all have the same names, of which some may have no figure yet.
        unit: what the figures are.
        called: what a name is called in the picture.
        title: what a group is called in the picture.
        width: of the scale, in pixels.
    """
    font, bold = ImageFont.load_default(size=TEXT), ImageFont.load_default(size=TEXT + 2)
    values = [value for names in groups.values() for figures in names.values() for value in figures]
    low, high, step = scale_of(min(values), max(values))
    height = sum(LINE * (len(names) + 2) for names in groups.values())
    longest = max(font.getlength(called(name)) for names in groups.values() for name in names)
    left = MARGIN + max(NAMES, math.ceil(longest) + GAP)
    sheet = Image.new("RGB", (left + width + MARGIN, 2 * MARGIN + height), PAPER)
    pen = ImageDraw.Draw(sheet)

    def x(value: float) -> float:
        return left + width * (value - low) / (high - low)

    y = MARGIN
    for group, names in groups.items():
        pen.text((MARGIN, y + LINE // 2), title(group), INK, font=bold, anchor="lm")
        bottom = y + LINE * (len(names) + 1)
        for tick in range(round((high - low) / step) + 1):
            at = x(low + tick * step)
            pen.line([(at, y + LINE), (at, bottom)], fill=FAINT)
            pen.text((at, bottom + 4), f"{low + tick * step:g}", INK, font=font, anchor="mt")
        pen.text((left - 2 * GAP, bottom + 4), unit, INK, font=font, anchor="rt")
        first = next(iter(names.values()))
        if first:
            pen.line([(x(mean(first)), y + LINE), (x(mean(first)), bottom)], fill=COLOURS[0])
        for number, (name, figures) in enumerate(names.items()):
            middle, colour = y + LINE * (number + 1) + LINE // 2, COLOURS[number % len(COLOURS)]
            pen.text((left - GAP, middle), called(name), INK, font=font, anchor="rm")
            if figures:
                pen.line([(x(mean(figures)), middle - 9), (x(mean(figures)), middle + 9)], fill=colour, width=3)
            for value in figures:
                pen.ellipse((x(value) - 4, middle - 4, x(value) + 4, middle + 4), outline=colour, width=2)
        y = bottom + LINE
    return sheet


def scale_of(low: float, high: float) -> tuple[float, float, float]:
    """Ends of a scale that holds both, and the step between its ticks, of 1, 2 or 5 times a power of ten."""
    if high - low < 1e-3:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    return math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step, step
