"""Facades of their own kind: a church's front, a curtain wall of glass."""

from __future__ import annotations

import numpy as np

from deepret.data.scenes.canvas import Canvas, Skin
from deepret.data.scenes.facade import cornice, foot, fresco, quoins
from deepret.data.scenes.glyphs import motif, ornament, sign
from deepret.data.scenes.style import Style
from deepret.data.scenes.texture import wall, weather
from deepret.data.scenes.windows import Window, draw_door, draw_window


def rose(style: Style, width: float, height: float, rng: np.random.Generator) -> Skin:
    """A church front: a portal below, a rose window above, narrow lights at the sides."""
    canvas = wall(width, height, style.wall, style.colour, style.joint, rng)
    fresco(canvas, style, rng)
    foot(canvas, style)
    radius = min(0.2 * width, 0.18 * height)
    middle = 0.7 * height
    for ring, shade, depth in ((1.3, 1.0, 0.2), (1.12, 0.8, 0.05)):
        canvas.disc(width / 2, middle, radius * ring, np.asarray(style.trim) * shade, depth)
    canvas.disc(width / 2, middle, radius, (58, 62, 84), -0.25, 200)
    petals = int(rng.integers(6, 13))
    for i in range(petals):
        angle = 2 * np.pi * i / petals
        at = width / 2 + 0.62 * radius * np.cos(angle), middle + 0.62 * radius * np.sin(angle)
        canvas.disc(
            *at, 1.5 * radius / petals, rng.choice([(120, 60, 70), (70, 90, 140), (150, 130, 70), (70, 110, 90)]), -0.22
        )
        canvas.line(
            [(width / 2, middle), (width / 2 + radius * np.cos(angle), middle + radius * np.sin(angle))],
            style.trim,
            0.12,
            -0.05,
        )
    canvas.disc(width / 2, middle, 0.2 * radius, style.trim, 0.0)
    light = Window("pointed" if style.main.shape == "pointed" else "round", 0.09 * width, 0.3 * height, 1, 4, 0.25)
    for turn in (-1, 1):
        draw_window(
            canvas, width / 2 + turn * 0.34 * width, 0.3 * height, light, style.trim, style.frame, style.accent, rng
        )
    draw_door(canvas, width / 2, 0.2 * width, min(0.36 * height, 0.4 * width), light.shape, style.trim, style.leaf, rng)
    if style.quoins:
        quoins(canvas, style)
    cornice(canvas, style)
    for _ in range(int(rng.integers(2, 6))):
        at = width / 2 + float(rng.choice([-1, 1])) * 0.34 * width, float(rng.uniform(0.1, 0.92)) * height
        ornament(canvas, *at, float(rng.uniform(0.8, 1.5)), style.trim, rng)
    weather(canvas, style.wear, rng)
    return Skin(canvas)


def glazed(style: Style, width: float, height: float, rng: np.random.Generator) -> Skin:
    """A curtain wall of glass between thin mullions, every few panes one of stone or colour, with a sign at the top."""
    canvas = Canvas(width, height, np.asarray(style.colour) * 0.9)
    rise, span = float(rng.uniform(1.8, 3.2)), float(rng.uniform(1.3, 2.4))
    rows, columns = max(1, round(height / rise)), max(1, round(width / span))
    rise, span = height / rows, width / columns
    fills = [np.asarray(c) for c in (style.accent, style.leaf, style.trim, style.joint)]
    for i in range(rows):
        for j in range(columns):
            x0, y0, x1, y1 = j * span, i * rise, (j + 1) * span, (i + 1) * rise
            if rng.random() < 0.55:
                tone = np.array([60, 78, 92]) * rng.uniform(0.45, 1.6)
                low = y0 + rise * float(rng.choice([0.12, 0.12, 0.4]))
                canvas.rect(x0 + 0.12, low, x1 - 0.12, y1 - 0.12, tone, -0.1, int(rng.integers(40, 200)))
                if rng.random() < 0.5:  # a blind let down
                    cloth = np.array((214, 208, 194)) * rng.uniform(0.5, 1.0)
                    at = y1 - 0.12 - (y1 - low - 0.24) * float(rng.uniform(0.2, 0.8))
                    left = x0 + 0.12 + (span - 0.24) * float(rng.choice([0.0, 0.0, 0.5]))
                    canvas.rect(left, at, x1 - 0.12, y1 - 0.12, cloth, -0.1, 30)
            elif rng.random() < 0.85:
                fill = fills[int(rng.integers(4))] * rng.uniform(0.7, 1.15)
                canvas.rect(x0, y0, x1, y1, np.minimum(fill, 250), 0.04)
                ink = np.minimum(fill * rng.choice([0.55, 1.5]), 250)
                motif(canvas, (x0 + x1) / 2, (y0 + y1) / 2, 0.75 * min(span, rise), ink, rng)
    if rng.random() < 0.8:
        x = width * float(rng.uniform(0.35, 0.65))
        sign(canvas, x, height - 1.3, min(0.8 * width, 9), 1.6, style.leaf, (240, 236, 224), rng)
    weather(canvas, 0.5 * style.wear, rng)
    return Skin(canvas)
