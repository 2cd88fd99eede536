"""Writing that nobody can read: signs, posters, clocks and reliefs, a different one for each building."""

from __future__ import annotations

import numpy as np

from deepret.data.scenes.canvas import Canvas, Colour, arc

_LATTICE = np.array([(x, y) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)])


def letters(
    canvas: Canvas, x: float, y: float, height: float, count: int, colour: Colour, rng: np.random.Generator
) -> float:
    """Writes ``count`` letters from (x, y) on, ``height`` metres high; gives their length in metres."""
    wide, gap = 0.55 * height, 0.22 * height
    for i in range(count):
        left = x + i * (wide + gap)
        nodes = rng.choice(9, size=int(rng.integers(3, 6)), replace=False)
        stroke = _LATTICE[nodes] * (wide, height) + (left, y)
        canvas.line(stroke, colour, 0.16 * height)
        if rng.random() < 0.4:
            canvas.line(
                arc(left + wide / 2, y + height / 2, wide / 2, *sorted(rng.uniform(0, 360, 2))), colour, 0.14 * height
            )
    return count * (wide + gap) - gap


def sign(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    height: float,
    board: Colour,
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    """A board with a name on it, its middle at (x, y)."""
    canvas.rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2, board, 0.12, 0)
    canvas.rect(x - width / 2, y - height / 2, x + width / 2, y - height / 2 + 0.08, ink, 0.16)
    canvas.rect(x - width / 2, y + height / 2 - 0.08, x + width / 2, y + height / 2, ink, 0.16)
    count = max(2, int(width * 0.85 / (0.77 * 0.6 * height)))
    length = count * 0.77 * 0.6 * height - 0.22 * 0.6 * height
    letters(canvas, x - length / 2, y - 0.3 * height, 0.6 * height, count, ink, rng)


def clock(
    canvas: Canvas, x: float, y: float, radius: float, face: Colour, ink: Colour, rng: np.random.Generator
) -> None:
    """A clock with twelve marks and two hands."""
    canvas.disc(x, y, radius * 1.18, ink, 0.15, 0)
    canvas.disc(x, y, radius, face, 0.08)
    for angle in np.radians(np.arange(0, 360, 30)):
        spoke = np.array([np.cos(angle), np.sin(angle)])
        canvas.line([(x, y) + 0.78 * radius * spoke, (x, y) + 0.92 * radius * spoke], ink, 0.1 * radius)
    for angle, length in zip(rng.uniform(0, 2 * np.pi, 2), (0.5, 0.75), strict=True):
        canvas.line(
            [(x, y), (x + length * radius * np.cos(angle), y + length * radius * np.sin(angle))], ink, 0.11 * radius
        )


def ornament(canvas: Canvas, x: float, y: float, size: float, colour: Colour, rng: np.random.Generator) -> None:
    """A carved relief of its own in a frame: discs, rays and scrolls, mirrored left to right."""
    half = size / 2
    dark = np.asarray(colour) * 0.72
    canvas.rect(x - half, y - half, x + half, y + half, colour, 0.08, 0)
    canvas.rect(x - 0.85 * half, y - 0.85 * half, x + 0.85 * half, y + 0.85 * half, dark, 0.0)
    for _ in range(int(rng.integers(2, 5))):
        dx, dy, r = rng.uniform(0, 0.6) * half, rng.uniform(-0.6, 0.6) * half, rng.uniform(0.1, 0.32) * half
        for turn in (-1, 1):
            canvas.disc(x + turn * dx, y + dy, r, colour, 0.1)
            canvas.line([(x, y), (x + turn * dx * 1.3, y + dy * 1.3)], colour, 0.08 * size, 0.08)
    if rng.random() < 0.6:
        canvas.disc(x, y, 0.28 * half, np.clip(np.asarray(colour) * 1.15, 0, 255), 0.14)


def motif(canvas: Canvas, x: float, y: float, size: float, colour: Colour, rng: np.random.Generator) -> None:
    """One painted mark: a disc, ring, lozenge, bow, cross or leaf, at any angle."""
    kind, turn = int(rng.integers(6)), 45.0 * int(rng.integers(8))
    half = size / 2
    spoke = half * np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
    middle, across = np.array([x, y]), np.array([-spoke[1], spoke[0]])
    if kind == 0:
        canvas.disc(x, y, 0.7 * half, colour)
    elif kind == 1:
        canvas.line(arc(x, y, 0.8 * half, turn, turn + rng.uniform(180, 360), 14), colour, 0.25 * size)
    elif kind == 2:
        canvas.shape(np.stack([middle + spoke, middle + 0.6 * across, middle - spoke, middle - 0.6 * across]), colour)
    elif kind == 3:
        canvas.line(np.stack([middle - spoke, middle + 0.7 * across, middle + spoke]), colour, 0.25 * size)
    elif kind == 4:
        canvas.line(np.stack([middle - spoke, middle + spoke]), colour, 0.22 * size)
        canvas.line(np.stack([middle - across, middle + across]), colour, 0.22 * size)
    else:
        canvas.shape(
            np.concatenate(
                [[middle - spoke], arc(x + 0.3 * spoke[0], y + 0.3 * spoke[1], 0.6 * half, turn - 100, turn + 100, 10)]
            ),
            colour,
        )


def banner(
    canvas: Canvas, x: float, top: float, width: float, height: float, colour: Colour, rng: np.random.Generator
) -> None:
    """A cloth hung on the wall, with a device and a line of letters."""
    pale = 0.35 * np.asarray(colour) + 0.65 * np.array([240, 236, 220])
    tail = [(x - width / 2, top), (x + width / 2, top), (x + width / 2, top - height), (x, top - height + 0.3 * width)]
    canvas.shape([*tail, (x - width / 2, top - height)], colour, 0.06, 0)
    bars = int(rng.integers(1, 4))
    for i in range(bars):
        y = top - height * (0.12 + 0.1 * i)
        canvas.rect(x - 0.4 * width, y - 0.04 * height, x + 0.4 * width, y, pale)
    canvas.disc(x, top - 0.6 * height, 0.26 * width, pale)
    canvas.line(arc(x, top - 0.6 * height, 0.14 * width, *sorted(rng.uniform(0, 360, 2))), colour, 0.1 * width)
