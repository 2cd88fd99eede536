"""Parallel coordinates: a line for each job through the values of its settings to its score; what each explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

LOW, HIGH, INK, PAPER = (69, 117, 180), (215, 48, 39), "#222222", "#ffffff"
WIDTH, HEIGHT, MARGIN, TEXT, BAR = 190, 420, 90, 13, 120


def parallel_coordinates(
    columns: Mapping[str, Sequence[Any]], scores: Sequence[float], score: str, shares: Mapping[str, float] | None = None
) -> Image.Image:
    """A picture of jobs: a vertical axis for each setting and one for the score; the best lines are red and on top.

    Below an axis a bar shows how much of the differences in the score its setting explains alone.

    Args:
        columns: each setting's values, one a job; numbers lie where they are, other values evenly apart.
        scores: one a job.
        score: its name.
        shares: what settings explain, 0…1.
    """
    axes = {name: positions(values) for name, values in columns.items()} | {score: positions(scores)}
    font = ImageFont.load_default(size=TEXT)
    sheet = Image.new("RGB", (2 * MARGIN + WIDTH * (len(axes) - 1), HEIGHT + 2 * MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    x = [MARGIN + WIDTH * i for i in range(len(axes))]
    height = [[MARGIN + HEIGHT * (1 - place) for place in places] for places, _ in axes.values()]
    colours = positions(scores)[0]
    for job in sorted(range(len(scores)), key=lambda job: scores[job]):
        colour = tuple(round(a + (b - a) * colours[job]) for a, b in zip(LOW, HIGH, strict=True))
        pen.line([(x[i], height[i][job]) for i in range(len(axes))], fill=colour, width=2)
    for i, (name, (_, ticks)) in enumerate(axes.items()):
        pen.line([(x[i], MARGIN), (x[i], MARGIN + HEIGHT)], fill=INK, width=1)
        pen.text((x[i], MARGIN - 30), name, INK, font=font, anchor="mb")
        for label, place in ticks.items():
            y = MARGIN + HEIGHT * (1 - place)
            pen.line([(x[i] - 4, y), (x[i] + 4, y)], fill=INK)
            box = pen.textbbox((x[i] + 8, y), label, font=font, anchor="lm")
            pen.rectangle(box, fill=PAPER)
            pen.text((x[i] + 8, y), label, INK, font=font, anchor="lm")
        if shares and name in shares:
            left, top = x[i] - BAR // 2, MARGIN + HEIGHT + 30
            pen.rectangle((left, top, left + round(BAR * shares[name]), top + 12), fill=HIGH)
            pen.rectangle((left, top, left + BAR, top + 12), outline=INK)
            pen.text((x[i], top + 18), f"explains {100 * shares[name]:.0f} %", INK, font=font, anchor="ma")
    return sheet


def positions(values: Sequence[Any]) -> tuple[list[float], dict[str, float]]:
    """Where values lie on an axis from 0 to 1, and its labels: numbers to scale, other values evenly apart."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        low, high = min(numbers), max(numbers)
        places = [(value - low) / (high - low) if high > low else 0.5 for value in numbers]
        known = sorted(set(zip(numbers, places, strict=True)))
        ticks = known if len(known) <= 8 else [known[0], known[-1]]
        return places, {f"{value:.4g}": place for value, place in ticks}
    names = sorted({str(value) for value in values})
    where = {name: i / (len(names) - 1) if len(names) > 1 else 0.5 for i, name in enumerate(names)}
    return [where[str(value)] for value in values], where
