"""A picture of a table of figures: a field for each, the larger the darker, with the figure and its spread in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

INK, PAPER, EMPTY = "#222222", "#ffffff", "#eeeeee"
LOW, HIGH = (247, 251, 255), (8, 81, 156)
WIDTH, HEIGHT, MARGIN, GAP, TEXT = 132, 64, 28, 12, 15
DARK = 0.55
"""Of the scale; text on fields above it is white."""

Cell = tuple[float, str]
"""A figure, and what is written below it."""


def heat_map(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell], unit: str
) -> Image.Image:
    """Rows and columns of fields, coloured from the smallest figure to the largest; grey where there is none.

    Args:
        rows: names.
        columns: names.
        cells: by row and column; some may be missing.
        unit: what the figures are, written in the corner.
    """
    font, bold, small = (ImageFont.load_default(size=TEXT + more) for more in (0, 3, -3))
    left = MARGIN + math.ceil(max(font.getlength(name) for name in (*rows, unit))) + GAP
    wide = max(WIDTH, math.ceil(max(font.getlength(name) for name in columns)) + GAP)
    top = MARGIN + TEXT + GAP
    sheet = Image.new("RGB", (left + wide * len(columns) + MARGIN, top + HEIGHT * len(rows) + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((left - GAP, top - GAP), unit, INK, font=font, anchor="rs")
    figures = [figure for figure, _ in cells.values()]
    low, high = min(figures), max(figures)
    for i, row in enumerate(rows):
        y = top + HEIGHT * i
        pen.text((left - GAP, y + HEIGHT / 2), row, INK, font=font, anchor="rm")
        for j, column in enumerate(columns):
            x = left + wide * j
            if i == 0:
                pen.text((x + wide / 2, top - GAP), column, INK, font=font, anchor="ms")
            found = cells.get((row, column))
            share = 0.0 if found is None or high == low else (found[0] - low) / (high - low)
            colour = EMPTY if found is None else shade(share)
            pen.rectangle((x, y, x + wide - 3, y + HEIGHT - 3), fill=colour)
            if found is not None:
                ink = PAPER if share > DARK else INK
                pen.text((x + wide / 2, y + HEIGHT / 2 - 8), f"{found[0]:.1f}", ink, font=bold, anchor="mm")
                pen.text((x + wide / 2, y + HEIGHT / 2 + 14), found[1], ink, font=small, anchor="mm")
    return sheet


def shade(share: float) -> tuple[int, int, int]:
    """The colour of a share in 0…1 of the scale."""
    red, green, blue = (round(low + share * (high - low)) for low, high in zip(LOW, HIGH, strict=True))
    return red, green, blue
