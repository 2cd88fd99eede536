"""Walls, roofs and gables: what a building shows apart from its facades."""

from __future__ import annotations

import numpy as np

from deepret.data.scenes.canvas import PPM, Skin, fractal
from deepret.data.scenes.facade import fresco
from deepret.data.scenes.glyphs import clock, ornament
from deepret.data.scenes.style import Style
from deepret.data.scenes.texture import roof, wall, weather
from deepret.data.scenes.windows import Window, draw_window


def plain(style: Style, width: float, height: float, rng: np.random.Generator) -> Skin:
    """A wall of trim stone without openings, for columns, steps and battlements."""
    canvas = wall(width, height, "ashlar", style.trim, np.asarray(style.trim) * 0.75, rng)
    weather(canvas, style.wear, rng)
    return Skin(canvas)


def bare(style: Style, width: float, height: float, rng: np.random.Generator) -> Skin:
    """The building's wall without openings."""
    canvas = wall(width, height, style.wall, style.colour, style.joint, rng)
    weather(canvas, style.wear, rng)
    return Skin(canvas)


def tiled(style: Style, width: float, height: float, rng: np.random.Generator) -> Skin:
    """A stretch of the building's roof."""
    canvas = roof(width, height, style.roof, style.roof_colour, rng)
    rows, columns = canvas.relief.shape
    moss = np.clip(fractal(rows, columns, 2.5 * PPM, rng, 4) - 0.35, 0, 0.6) * style.wear
    canvas.tint(1 - moss[..., None] * np.array([0.5, 0.2, 0.6], np.float32))
    return Skin(canvas)


def gable(style: Style, width: float, height: float, rng: np.random.Generator) -> Skin:
    """A gable's triangle: its wall, a window or relief in its middle, and mouldings along the slopes."""
    canvas = wall(width, height, style.wall, style.colour, style.joint, rng)
    fresco(canvas, style, rng)
    size = min(0.38 * width, 0.42 * height)
    pick = rng.random()
    if pick < 0.4:
        draw_window(
            canvas,
            width / 2,
            0.2 * height,
            Window("circle", size, size, 3, 1, 0.2),
            style.trim,
            style.frame,
            style.accent,
            rng,
        )
    elif pick < 0.7:
        ornament(canvas, width / 2, 0.36 * height, size, style.trim, rng)
    else:
        clock(canvas, width / 2, 0.36 * height, size / 2, (236, 230, 212), (56, 48, 42), rng)
    edge = min(0.5, 0.12 * height)
    canvas.line([(0, 0), (width / 2, height), (width, 0)], style.trim, 2 * edge, 0.2)
    canvas.rect(0, 0, width, edge, style.trim, 0.2)
    weather(canvas, style.wear, rng)
    return Skin(canvas)
