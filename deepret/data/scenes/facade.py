"""Composes a facade: storeys of windows between plinth and cornice, a door, and what makes it unlike any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepret.data.scenes.canvas import PPM, Canvas, Skin, fractal
from deepret.data.scenes.glyphs import banner, clock, motif, ornament, sign
from deepret.data.scenes.style import Style
from deepret.data.scenes.texture import wall, weather
from deepret.data.scenes.windows import Window, draw_door, draw_window


def draw_facade(
    style: Style, width: float, height: float, rng: np.random.Generator, *, door: bool = False, rich: bool = True
) -> Skin:
    """The front of a building.

    Args:
        style: its look.
        width: metres.
        height: metres.
        rng: for everything that it has to itself.
        door: whether a portal stands in its middle.
        rich: whether it carries signs, banners and ornaments; side walls do not.
    """
    canvas = wall(width, height, style.wall, style.colour, style.joint, rng)
    fresco(canvas, style, rng)
    foot(canvas, style)
    storeys = max(1, round((height - 0.6) / style.storey))
    rise = (height - 0.8) / storeys
    bays = max(1, round((width - 0.8) / style.bay))
    span = (width - 0.8) / bays
    if style.strings:
        for level in range(1, storeys):
            canvas.rect(0, rise * level - 0.05, width, rise * level + 0.22, style.trim, 0.16)
    if style.pilasters and bays > 1:
        for i in range(bays + 1):
            x = 0.4 + span * i
            canvas.rect(x - 0.25, 0.6, x + 0.25, height - 0.8, style.trim, 0.14)
            canvas.rect(x - 0.35, height - 1.2, x + 0.35, height - 0.8, np.asarray(style.trim) * 1.05, 0.2)
    if style.quoins:
        quoins(canvas, style)
    portal = door and width > 3.2
    blank = _storeys(canvas, style, storeys, rise, bays, span, portal, rng)
    if portal:
        wide = float(np.clip(0.16 * width, 1.7, 3.2))
        draw_door(
            canvas, width / 2, wide, min(rise * 0.88, wide * 1.9), style.ground.shape, style.trim, style.leaf, rng
        )
    cornice(canvas, style)
    if rich:
        _unique(canvas, style, storeys, rise, blank, portal, rng)
    weather(canvas, style.wear, rng)
    return Skin(canvas)


def fresco(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    """Motifs painted or inlaid in rows, each unlike the next: the mark by which a wall is known again."""
    wall_colour = np.asarray(style.colour)
    inks = [
        wall_colour * 0.48,
        0.38 * wall_colour + 0.62 * np.array((246, 242, 232)),  # paler: on a dark wall darker marks hardly show
        0.35 * wall_colour + 0.65 * np.asarray(style.accent),
    ]
    scale = float(np.clip(max(canvas.width, canvas.height) / 16, 0.9, 1.6))  # larger fronts are seen from farther away
    step = 1.15 * scale
    columns, rows = max(1, round(canvas.width / step)), max(1, round(canvas.height / step))
    for i in range(rows):
        for j in range(columns):
            x, y = (j + 0.5) * canvas.width / columns, (i + 0.5) * canvas.height / rows
            pick = rng.random()
            if pick < 0.12:  # a great one over the place of four
                motif(canvas, x, y, scale * float(rng.uniform(1.6, 2.4)), inks[int(rng.integers(3))], rng)
            elif pick < style.painted:
                motif(canvas, x, y, scale * float(rng.uniform(0.6, 1.1)), inks[int(rng.integers(3))], rng)


def foot(canvas: Canvas, style: Style) -> None:
    """The plinth, or a whole ground floor of rough stone."""
    high = min(style.plinth, 0.3 * canvas.height)
    canvas.rect(0, 0, canvas.width, high, np.asarray(style.trim) * 0.9, 0.1)
    if high > 2:  # a rusticated ground floor
        for y in np.arange(0, high, 0.55):
            canvas.rect(0, y, canvas.width, y + 0.07, np.asarray(style.trim) * 0.6, 0.0)
    canvas.rect(0, high - 0.15, canvas.width, high, style.trim, 0.16)


def quoins(canvas: Canvas, style: Style) -> None:
    """Dressed stones at both corners."""
    for i, y in enumerate(np.arange(0, canvas.height, 0.5)):
        long = 0.85 if i % 2 else 0.5
        for x0, x1 in ((0, long), (canvas.width - long, canvas.width)):
            canvas.rect(x0, y + 0.04, x1, y + 0.46, style.trim, 0.1)


def cornice(canvas: Canvas, style: Style) -> None:
    """The moulding under the eaves."""
    top = canvas.height
    canvas.rect(0, top - 0.75, canvas.width, top - 0.5, style.trim, 0.15, 0)
    canvas.rect(0, top - 0.5, canvas.width, top - 0.22, np.asarray(style.trim) * 0.92, 0.28, 0)
    canvas.rect(0, top - 0.22, canvas.width, top, np.clip(np.asarray(style.trim) * 1.06, 0, 255), 0.4, 0)


def _storeys(
    canvas: Canvas,
    style: Style,
    storeys: int,
    rise: float,
    bays: int,
    span: float,
    portal: bool,
    rng: np.random.Generator,
) -> list[tuple[float, float]]:
    """Draws the windows; gives the middles of the places where one was left out."""
    blank = []
    skip = rng.random((storeys, bays)) < 0.14
    for level in range(storeys):
        look = style.ground if level == 0 else style.top if level == storeys - 1 and storeys > 2 else style.main
        look = _fitted(look, span, rise)
        y = rise * level + max(0.55, 0.5 * (rise - look.height) - 0.1)
        for i in range(bays):
            x = 0.4 + span * (i + 0.5)
            if level == 0 and portal and abs(x - canvas.width / 2) < max(1.6, 0.09 * canvas.width) + look.width / 2:
                continue
            if skip[level, i]:
                blank.append((x, rise * (level + 0.5)))
                continue
            own = replace(
                look, width=look.width * float(rng.uniform(0.8, 1.05)), shutters=look.shutters and rng.random() < 0.8
            )
            trim = np.asarray(style.trim) * rng.uniform(0.6, 1.1)  # stones of different age
            draw_window(canvas, x, y, own, trim, style.frame, style.accent, rng)
    return blank


def _fitted(look: Window, span: float, rise: float) -> Window:
    """The window, made to fit between its neighbours and floors."""
    room = span * (0.46 if look.shutters else 0.72) - look.surround
    return replace(
        look,
        width=max(0.35, min(look.width, room)),
        height=min(look.height, rise - 1.2),
        shutters=look.shutters and room > 0.8,
    )


def _unique(
    canvas: Canvas,
    style: Style,
    storeys: int,
    rise: float,
    blank: list[tuple[float, float]],
    portal: bool,
    rng: np.random.Generator,
) -> None:
    """Signs, clocks, reliefs, banners, ivy: what tells this facade from others of its kind."""
    width, height = canvas.width, canvas.height
    for x, y in blank:
        ornament(canvas, x, y, float(rng.uniform(1.2, 1.9)), style.trim, rng)
    if storeys > 1:
        for x in np.arange(1.2, width - 0.8, float(rng.uniform(2.5, 5.0))):
            if rng.random() < 0.5 * style.ornament:
                ornament(
                    canvas, x, rise * int(rng.integers(1, storeys)) + 0.1, float(rng.uniform(0.7, 1.1)), style.trim, rng
                )
    if rng.random() < style.sign and width > 4:
        long = float(rng.uniform(0.3, 0.75)) * width
        board, ink = (style.leaf, (236, 226, 196)) if rng.random() < 0.6 else ((226, 218, 200), (52, 46, 44))
        y = rise - 0.2 if portal or storeys == 1 else rise * int(rng.integers(1, storeys)) - 0.1
        sign(canvas, width * float(rng.uniform(0.42, 0.58)), y, long, min(1.3, 0.3 * rise), board, ink, rng)
    if rng.random() < 0.3 and height > 7:
        clock(canvas, width / 2, height - 2.2, min(1.4, 0.16 * width), (236, 230, 212), (56, 48, 42), rng)
    if rng.random() < style.banner and height > 7:
        for turn in (-1, 1):
            colour = style.accent if rng.random() < 0.5 else style.leaf
            banner(
                canvas,
                width / 2 + turn * 0.27 * width,
                height - 1.2,
                min(1.3, 0.12 * width),
                0.42 * height,
                colour,
                rng,
            )
    if rng.random() < 0.3:
        _ivy(canvas, rng)
    for _ in range(int(rng.integers(0, 3))):  # rain pipes and cables
        x = float(rng.uniform(0.3, width - 0.3))
        canvas.line([(x, 0), (x, height - 0.8)], (86, 84, 80), 0.12, 0.14)


def _ivy(canvas: Canvas, rng: np.random.Generator) -> None:
    rows, columns = canvas.relief.shape
    x = np.arange(columns, dtype=np.float32)[None, :] / columns
    y = np.arange(rows, dtype=np.float32)[::-1, None] / rows
    reach = np.abs(x - float(rng.choice([0.0, 1.0, rng.random()]))) * 2.2 + y * float(rng.uniform(0.8, 1.8))
    leaf = fractal(rows, columns, 2 * PPM, rng, 5) + 0.9 - 1.3 * reach > 0
    tone = 1 + 0.8 * fractal(rows, columns, 5, rng, 2)
    canvas.colour[leaf] = np.clip((np.array([66, 96, 48]) * tone[..., None])[leaf], 0, 255).astype(np.uint8)
    canvas.relief = np.where(leaf, 0.2 + 0.1 * tone, canvas.relief).astype(np.float32)
    canvas.glass[leaf] = 0
