"""What walls and roofs are made of: brick, stone, plaster, tiles, and what years do to them."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from deepret.data.scenes.canvas import PPM, Array, Canvas, Colour, fractal

Wall = Literal["brick", "ashlar", "rubble", "plaster", "banded", "panels", "timber"]
Roof = Literal["tiles", "slate", "metal", "copper"]

WALLS: tuple[Wall, ...] = ("brick", "ashlar", "rubble", "plaster", "banded", "panels", "timber")
ROOFS: tuple[Roof, ...] = ("tiles", "slate", "metal", "copper")
ROOF_COLOURS: dict[Roof, tuple[int, int, int]] = {
    "tiles": (164, 84, 58),
    "slate": (88, 92, 104),
    "metal": (128, 132, 136),
    "copper": (108, 158, 138),
}


def wall(width: float, height: float, kind: Wall, colour: Colour, second: Colour, rng: np.random.Generator) -> Canvas:
    """A bare wall.

    Args:
        width: metres.
        height: metres.
        kind: what it is built of.
        colour: of the stone, brick or plaster.
        second: of the joints, bands or beams.
        rng: for the tone of each stone.
    """
    canvas = Canvas(width, height, colour)
    if kind in ("brick", "ashlar", "banded"):
        course, length, spread = {"brick": (0.3, 0.65, 0.11), "ashlar": (0.75, 1.3, 0.14), "banded": (0.6, 1.0, 0.13)}[
            kind
        ]
        _courses(canvas, course, length, spread, second, rng)
        if kind == "banded":
            _bands(canvas, second)
    elif kind == "rubble":
        _rubble(canvas, second, rng)
    elif kind == "panels":
        _panels(canvas, rng)
    elif kind == "timber":
        _beams(canvas, second, rng)
    rows, columns = canvas.relief.shape
    canvas.tint(1 + 0.10 * fractal(rows, columns, 1.2 * PPM, rng, 4))
    return canvas


def _grid(canvas: Canvas) -> tuple[Array, Array]:
    rows, columns = canvas.relief.shape
    return np.arange(rows)[:, None], np.arange(columns)[None, :]


def _courses(
    canvas: Canvas, course: float, length: float, spread: float, joint: Colour, rng: np.random.Generator
) -> None:
    """Rows of stones, each row shifted, each stone with a tone of its own."""
    y, x = _grid(canvas)
    high, long = round(course * PPM), length * PPM
    row = y // high
    shift = rng.random(row.max() + 1) * long
    stretch = rng.uniform(0.8, 1.25, row.max() + 1)
    along = (x + shift[row]) / (long * stretch[row])
    stone = along.astype(np.int64)
    tone = rng.normal(1.0, spread, 4096).clip(0.7, 1.3)[(row * 131 + stone * 17) % 4096]
    canvas.tint(tone.astype(np.float32))
    gap = ((y % high) < 1) | ((along - stone) * long * stretch[row] < 1)
    canvas.colour[gap] = (0.5 * canvas.colour[gap] + 0.5 * np.asarray(joint)).astype(np.uint8)
    canvas.relief -= 0.03 * gap.astype(np.float32)


def _bands(canvas: Canvas, second: Colour) -> None:
    y, _ = _grid(canvas)
    band = np.broadcast_to((y // round(0.6 * PPM)) % 3 == 0, canvas.relief.shape)
    canvas.colour[band] = (0.25 * canvas.colour[band] + 0.75 * np.asarray(second)).astype(np.uint8)


def _rubble(canvas: Canvas, joint: Colour, rng: np.random.Generator) -> None:
    """Field stones: cells around scattered points, by a distance transform."""
    rows, columns = canvas.relief.shape
    free = np.ones((rows, columns), np.uint8)
    count = max(4, int(canvas.width * canvas.height * 3.0))
    free[rng.integers(0, rows, count), rng.integers(0, columns, count)] = 0
    far, stone = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    canvas.tint(rng.normal(1.0, 0.10, 4096).clip(0.65, 1.35).astype(np.float32)[stone % 4096])
    edge = cv2.morphologyEx(stone.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    canvas.colour[edge] = (0.5 * canvas.colour[edge] + 0.5 * np.asarray(joint)).astype(np.uint8)
    canvas.relief += 0.06 * np.exp(-far / 6) - 0.05 * edge


def _panels(canvas: Canvas, rng: np.random.Generator) -> None:
    """Large slabs of concrete or stone, with open joints."""
    y, x = _grid(canvas)
    high, long = round(1.6 * PPM), round(2.4 * PPM)
    tone = rng.normal(1.0, 0.05, 512).astype(np.float32)[((y // high) * 31 + (x // long) * 7) % 512]
    gap = ((y % high) < 1) | ((x % long) < 1)
    canvas.tint(tone * (1 - 0.3 * gap))
    canvas.relief -= 0.04 * gap.astype(np.float32)


def _beams(canvas: Canvas, beam: Colour, rng: np.random.Generator) -> None:
    """A timber frame over plaster: posts, rails and braces."""
    step = 1.5
    for y in np.arange(0.1, canvas.height, 1.7):
        canvas.line([(0, y), (canvas.width, y)], beam, 0.22, 0.05)
        for x in np.arange(0.1, canvas.width, step):
            canvas.line([(x, y), (x, y + 1.7)], beam, 0.2, 0.05)
            if rng.random() < 0.45:
                a, b = (x, x + step) if rng.random() < 0.5 else (x + step, x)
                canvas.line([(a, y), (b, y + 1.7)], beam, 0.16, 0.05)


def roof(width: float, height: float, kind: Roof, colour: Colour, rng: np.random.Generator) -> Canvas:
    """A stretch of roof, its eaves at the lower edge."""
    canvas = Canvas(width, height, colour)
    y, x = _grid(canvas)
    if kind in ("tiles", "slate"):
        high, long = (8, 7) if kind == "tiles" else (6, 10)
        row = y // high
        along = x + (row % 2) * long / 2
        tone = rng.normal(1.0, 0.13, 4096).clip(0.6, 1.4)[(row * 211 + (along // long).astype(np.int64) * 13) % 4096]
        canvas.tint((tone * (0.8 + 0.4 * (y % high) / high)).astype(np.float32))
        canvas.relief += 0.05 * ((y % high) / high) + (
            0.04 * np.abs(np.sin(np.pi * along / long)) if kind == "tiles" else 0
        )
    else:
        seam = np.broadcast_to((x % 14) < 2, canvas.relief.shape)
        canvas.relief += 0.05 * seam
        canvas.tint((1 + 0.10 * seam + rng.normal(0, 0.04, 1024)[(x // 14) % 1024]).astype(np.float32))
    rows, columns = canvas.relief.shape
    canvas.tint(1 + 0.22 * fractal(rows, columns, 2 * PPM, rng, 4))
    return canvas


def weather(canvas: Canvas, amount: float, rng: np.random.Generator) -> None:
    """What years do: blotches, soot below ledges, streaks of rain, damp at the foot, patches where the coat came off.

    Args:
        canvas: the finished wall, weathered in place.
        amount: 0 new, 1 neglected.
        rng: for the places.
    """
    rows, columns = canvas.relief.shape
    blotch = fractal(rows, columns, 3.5 * PPM, rng, 5)
    streak = cv2.resize(fractal(max(2, rows // 24), columns, 0.4 * PPM, rng, 2), (columns, rows))
    ledge: Array = np.clip(cv2.blur(canvas.relief, (3, 3)), 0, 0.3) / np.float32(0.3)
    below = cv2.blur(ledge, (5, PPM * 2 + 1), anchor=(2, PPM * 2))  # a ledge's soot hangs two metres down
    foot = np.exp(-np.arange(rows, dtype=np.float32)[::-1] / (1.5 * PPM))[:, None]
    dark = 0.30 * np.clip(blotch, -0.5, 1) + 0.35 * below * np.clip(0.5 + 2 * streak, 0, 1) + 0.30 * foot
    cool = np.array([1.05, 1.0, 0.92], np.float32)
    patina = 1 + 0.10 * fractal(rows, columns, 1.0 * PPM, rng, 3)  # no two stretches of wall are alike
    canvas.tint((1 - amount * dark[..., None] * cool) * patina[..., None])
    # patches where the coat came off, down to something darker, and others that were mended
    patches, mean = fractal(rows, columns, 1.3 * PPM, rng, 4), canvas.colour.reshape(-1, 3).mean(0)
    for where, tone in ((patches > 1.15 - 0.45 * amount, 0.62), (patches < -1.15 + 0.45 * amount, 1.25)):
        where &= canvas.glass == 0
        canvas.colour[where] = np.clip(0.4 * canvas.colour[where] + 0.6 * tone * mean, 0, 250).astype(np.uint8)
