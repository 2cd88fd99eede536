"""Windows and doors, each drawn anew with its own blinds, curtains and tone of glass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepret.data.scenes.canvas import Array, Canvas, Colour, arc

Shape = Literal["square", "round", "pointed", "flat_arch", "circle"]
Hood = Literal["none", "lintel", "gable", "bow", "keystone"]


@dataclass(frozen=True)
class Window:
    """How all windows of a storey look.

    Args:
        shape: of the opening.
        width: metres.
        height: metres.
        columns: panes side by side.
        rows: panes one above the other.
        surround: metres of dressed stone around it, 0 for none.
        hood: what stands above it.
        shutters: whether it has them.
        twin: two narrow openings under one hood.
    """

    shape: Shape = "square"
    width: float = 1.2
    height: float = 2.0
    columns: int = 2
    rows: int = 3
    surround: float = 0.15
    hood: Hood = "none"
    shutters: bool = False
    twin: bool = False


def outline(shape: Shape, x: float, y: float, width: float, height: float) -> Array:
    """The opening's outline (k, 2): its foot's middle at (x, y)."""
    half = width / 2
    if shape == "circle":
        return arc(x, y + height / 2, min(width, height) / 2, 0, 360, 28)
    if shape == "round" and height > half:
        return np.concatenate([[(x - half, y), (x + half, y)], arc(x, y + height - half, half, 0, 180, 14)])
    if shape == "flat_arch":
        bow = arc(x, y + height - 1.3 * width, 1.3 * width, 67.4, 112.6, 9)
        return np.concatenate([[(x - half, y), (x + half, y)], bow])
    if shape == "pointed" and height > 0.87 * width:
        spring = y + height - 0.866 * width
        right, left = arc(x - half, spring, width, 0, 60, 8), arc(x + half, spring, width, 120, 180, 8)
        return np.concatenate([[(x - half, y), (x + half, y)], right, left])
    return np.array([(x - half, y), (x + half, y), (x + half, y + height), (x - half, y + height)])


def draw_window(
    canvas: Canvas,
    x: float,
    y: float,
    look: Window,
    trim: Colour,
    frame: Colour,
    accent: Colour,
    rng: np.random.Generator,
) -> None:
    """Draws one window, the middle of its sill at (x, y)."""
    if look.twin and look.shape != "circle":
        half = Window(look.shape, look.width * 0.46, look.height, 1, look.rows, look.surround * 0.7)
        for turn in (-1, 1):
            _opening(canvas, x + turn * look.width * 0.27, y, half, trim, frame, rng)
    else:
        _opening(canvas, x, y, look, trim, frame, rng)
    wide = look.width / 2 + look.surround
    if look.shape != "circle":
        canvas.rect(x - wide - 0.08, y - 0.2, x + wide + 0.08, y, np.asarray(trim) * 1.04, 0.18)
    _hood(canvas, x, y + look.height + look.surround, wide + 0.1, look.hood, trim)
    if look.shutters:
        _shutters(canvas, x, y, look, accent, rng)
    elif look.shape != "circle" and rng.random() < 0.12:  # a box of flowers
        canvas.rect(x - wide, y - 0.05, x + wide, y + 0.22, (96, 66, 48), 0.25, 0)
        for flower in rng.uniform(-wide, wide, 7):
            canvas.disc(x + flower, y + 0.28, 0.13, rng.choice([(196, 52, 60), (70, 112, 52), (222, 190, 80)]), 0.25)


def _opening(
    canvas: Canvas, x: float, y: float, look: Window, trim: Colour, frame: Colour, rng: np.random.Generator
) -> None:
    w, h, s = look.width, look.height, look.surround
    if s > 0:
        around = outline(
            look.shape,
            x,
            y - (s if look.shape == "circle" else 0),
            w + 2 * s,
            h + (2 * s if look.shape == "circle" else s),
        )
        canvas.shape(around, trim, 0.08)
    tone = rng.uniform(0.5, 1.25)
    hole = outline(look.shape, x, y, w, h)
    canvas.shape(hole, np.array([52, 60, 70]) * tone, -0.22, int(rng.integers(40, 256)))
    mood = rng.random()
    if look.shape != "circle" and mood < 0.5:  # a blind let down, or curtains at the sides
        cloth = np.asarray(
            rng.choice([(212, 204, 186), (178, 170, 160), (150, 118, 98), (120, 134, 150)])
        ) * rng.uniform(0.7, 1)
        top = y + h * (0.72 if look.shape in ("round", "pointed") else 0.98)
        if mood < 0.3:
            canvas.rect(x - 0.46 * w, top - rng.uniform(0.2, 0.7) * h, x + 0.46 * w, top, cloth, -0.2, 30)
        else:
            part = rng.uniform(0.12, 0.3) * w
            canvas.rect(x - 0.46 * w, y + 0.04, x - 0.46 * w + part, top, cloth, -0.2, 30)
            canvas.rect(x + 0.46 * w - part, y + 0.04, x + 0.46 * w, top, cloth, -0.2, 30)
    bar = 0.07
    closed = np.concatenate([hole, hole[:1]])
    canvas.line(closed, frame, bar, -0.14)
    if look.shape == "circle":
        for angle in np.radians(np.arange(look.columns * 2) * 180 / (look.columns * 2)):
            ray = np.array([np.cos(angle), np.sin(angle)]) * w / 2
            middle = np.array([x, y + h / 2])
            canvas.line([middle - ray, middle + ray], frame, bar, -0.14)
        return
    for i in range(1, look.columns):
        at = x - w / 2 + w * i / look.columns
        canvas.line([(at, y), (at, y + h * (0.93 if look.shape in ("round", "pointed") else 1))], frame, bar, -0.14)
    for i in range(1, look.rows):
        at = y + h * i / look.rows
        if look.shape != "pointed" or i / look.rows < 0.75:
            canvas.line([(x - w / 2, at), (x + w / 2, at)], frame, bar, -0.14)


def _hood(canvas: Canvas, x: float, y: float, half: float, hood: Hood, trim: Colour) -> None:
    bright = np.clip(np.asarray(trim) * 1.05, 0, 255)
    if hood == "lintel":
        canvas.rect(x - half, y, x + half, y + 0.28, bright, 0.2)
    elif hood == "gable":
        canvas.shape([(x - half - 0.1, y), (x + half + 0.1, y), (x, y + 0.7 * half)], bright, 0.22)
        canvas.shape(
            [(x - 0.6 * half, y + 0.1), (x + 0.6 * half, y + 0.1), (x, y + 0.5 * half)], np.asarray(trim) * 0.8, 0.1
        )
    elif hood == "bow":
        canvas.shape(arc(x, y, half + 0.1, 0, 180, 16) * (1, 0.55) + (0, 0.45 * y), bright, 0.22)
    elif hood == "keystone":
        canvas.shape(
            [(x - 0.14, y - 0.3), (x + 0.14, y - 0.3), (x + 0.24, y + 0.32), (x - 0.24, y + 0.32)], bright, 0.2
        )


def _shutters(canvas: Canvas, x: float, y: float, look: Window, accent: Colour, rng: np.random.Generator) -> None:
    leaf = 0.5 * look.width
    for turn in (-1, 1):
        if rng.random() < 0.12:  # one that is shut, or gone
            continue
        inner = x + turn * (look.width / 2 + 0.05)
        left, right = sorted((inner, inner + turn * leaf))
        canvas.rect(left, y, right, y + look.height, accent, 0.1, 0)
        for slat in np.arange(y + 0.15, y + look.height - 0.1, 0.22):
            canvas.line([(left + 0.06, slat), (right - 0.06, slat)], np.asarray(accent) * 0.7, 0.05)


def draw_door(
    canvas: Canvas,
    x: float,
    width: float,
    height: float,
    shape: Shape,
    trim: Colour,
    leaf: Colour,
    rng: np.random.Generator,
) -> None:
    """A portal from the ground up: dressed stone around it, two leaves with panels, steps before it."""
    for ring, depth in ((0.55, 0.22), (0.3, 0.05)):
        canvas.shape(
            outline(shape, x, 0, width + 2 * ring, height + ring),
            np.asarray(trim) * (1.03 if ring > 0.4 else 0.85),
            depth,
            0,
        )
    canvas.shape(outline(shape, x, 0, width, height), np.asarray(leaf) * 0.8, -0.3, 0)
    top = height * (0.66 if shape in ("round", "pointed") else 0.8)
    if shape in ("round", "pointed"):
        fan = outline(shape, x, top, width * 0.92, height - top)
        canvas.shape(fan, (62, 68, 76), -0.32, int(rng.integers(120, 256)))
        for angle in np.radians((30, 60, 90, 120, 150)):
            canvas.line([(x, top), (x + 0.45 * width * np.cos(angle), top + 0.45 * width * np.sin(angle))], leaf, 0.06)
    for turn in (-1, 1):
        for low, high in ((0.08, 0.42), (0.5, 0.94)):
            a, b = sorted((x + turn * 0.06 * width, x + turn * 0.42 * width))
            canvas.rect(a, low * top, b, high * top, leaf, -0.24)
            canvas.rect(a + 0.08, low * top + 0.08, b - 0.08, high * top - 0.08, np.asarray(leaf) * 0.85, -0.28)
    for step in range(3):
        out = width / 2 + 0.9 - 0.25 * step
        canvas.rect(
            x - out,
            0.14 * step,
            x + out,
            0.14 * (step + 1),
            np.asarray(trim) * (0.9 + 0.06 * step),
            0.3 - 0.06 * step,
            0,
        )
