"""What is printed on things: bands, devices and writing in the colours of a brand."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepret.data.scenes.canvas import Canvas, Colour, Skin, fractal, stream
from deepret.data.scenes.glyphs import letters, motif

_INKS: list[Colour] = [(24, 26, 32), (244, 240, 228), (150, 24, 28), (20, 62, 120), (18, 92, 60), (236, 190, 40)]


@dataclass(frozen=True)
class Brand:
    """The colours that several things share, red, green, blue, 0 to 255."""

    ground: Colour
    panel: Colour
    ink: Colour
    accent: Colour


def draw_brand(seed: int, group: str, number: int) -> Brand:
    """A brand of a group, the same for the same arguments."""
    rng = stream(seed, group, "brand", number)
    ground, accent = (np.clip(rng.normal(130, 70, 3), 20, 240).tolist() for _ in range(2))
    dark, pale = _INKS[int(rng.choice([0, 2, 3, 4]))], _INKS[int(rng.choice([1, 1, 5]))]
    return Brand(ground, pale, dark, accent)


def label(brand: Brand, width: float, height: float, rng: np.random.Generator) -> Canvas:
    """A sheet with a print of its own, ``width`` × ``height`` metres, which may be wrapped around."""
    canvas = Canvas(width, height, brand.ground)
    for _ in range(int(rng.integers(1, 4))):
        low = float(rng.uniform(0, 0.9)) * height
        canvas.rect(0, low, width, low + float(rng.uniform(0.03, 0.16)) * height, brand.accent)
    unit = min(width, height)
    for _ in range(int(rng.integers(3, 8))):
        size = float(rng.uniform(0.12, 0.34)) * unit
        colour = brand.panel if rng.random() < 0.6 else brand.ink
        motif(canvas, float(rng.uniform(0, width)), float(rng.uniform(0, height)), size, colour, rng)
    if height > 1.5:
        _panel(canvas, brand, unit, rng)
    return canvas


def _panel(canvas: Canvas, brand: Brand, unit: float, rng: np.random.Generator) -> None:
    """A field with two lines of writing."""
    width, height = canvas.width, canvas.height
    wide, high = float(rng.uniform(0.5, 0.8)) * unit, float(rng.uniform(0.3, 0.45)) * unit
    x, y = float(rng.uniform(0.1, 0.9)) * (width - wide), float(rng.uniform(0.2, 0.9)) * (height - high)
    canvas.rect(x, y, x + wide, y + high, brand.panel)
    for low, tall in ((0.5, 0.36), (0.14, 0.2)):
        count = max(2, int(0.84 * wide / (0.77 * tall * high)))
        letters(canvas, x + 0.08 * wide, y + low * high, tall * high, count, brand.ink, rng)


def plain(colour: Colour, width: float, height: float, rng: np.random.Generator) -> Canvas:
    """Bare cardboard, glass or clay, not quite even."""
    canvas = Canvas(width, height, colour)
    rows, columns = canvas.relief.shape
    canvas.tint(1 + 0.06 * fractal(rows, columns, 24, rng, 3))
    return canvas


def wrapped(canvas: Canvas, sides: int) -> list[Skin]:
    """The sheet in ``sides`` strips from left to right, to be laid around a solid."""
    edges = np.rint(np.linspace(0, canvas.colour.shape[1], sides + 1)).astype(int)
    skins = []
    for low, high in pairwise(edges.tolist()):
        strip = Canvas(canvas.width / sides, canvas.height)
        strip.colour = np.ascontiguousarray(canvas.colour[:, low : max(high, low + 1)])
        strip.relief = np.ascontiguousarray(canvas.relief[:, low : max(high, low + 1)])
        strip.glass = np.ascontiguousarray(canvas.glass[:, low : max(high, low + 1)])
        skins.append(Skin(strip))
    return skins
