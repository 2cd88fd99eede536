"""What stands about: trees, bushes, people, street lamps, cars and buses, a few of each drawn once."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from deepret.data.scenes.canvas import PPM, Array, Canvas, Points, Skin, arc, fractal, stream
from deepret.data.scenes.glyphs import letters
from deepret.data.scenes.solids import Builder, Mesh

_LEAVES = [(70, 98, 44), (88, 110, 52), (54, 84, 48), (112, 122, 58), (150, 112, 48), (104, 84, 60)]
_CLOTHES = [
    (52, 58, 82),
    (150, 48, 46),
    (204, 200, 190),
    (60, 92, 76),
    (206, 168, 70),
    (40, 40, 44),
    (120, 140, 172),
    (170, 96, 120),
]
_PAINT = [
    (176, 40, 38),
    (38, 62, 110),
    (210, 208, 204),
    (40, 42, 46),
    (150, 154, 158),
    (206, 176, 60),
    (62, 96, 84),
    (110, 82, 64),
]


@lru_cache(maxsize=64)
def tree(variant: int) -> tuple[Skin, float, float]:
    """A tree with its width and height in metres; some stand bare."""
    rng = stream("tree", variant)
    height = float(rng.uniform(5, 13))
    width = height * float(rng.uniform(0.55, 0.85))
    canvas = Canvas(width, height, (66, 54, 44))
    rows, columns = canvas.relief.shape
    alpha = np.zeros((rows, columns), np.uint8)
    pen = Canvas(width, height, (0, 0, 0))
    trunk = 0.35 * height
    pen.line([(width / 2, 0), (width / 2 + rng.normal(0, 0.2), trunk + 0.3 * height)], (255, 255, 255), 0.035 * height)
    for _ in range(9):
        angle = rng.uniform(0.3, 2.8)
        start = trunk + rng.uniform(0, 0.2) * height
        end = np.array([width / 2, start]) + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.2, 0.42) * width
        pen.line([(width / 2, start), end], (255, 255, 255), 0.012 * height)
    alpha |= pen.colour[..., 0]
    if variant % 7 != 6:
        blob: Array = np.zeros((rows, columns), np.float32)
        for _ in range(14):
            a, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            x = (0.5 + 0.30 * r * np.cos(a)) * columns
            y = (0.36 + 0.24 * r * np.sin(a)) * rows
            cv2.circle(blob, (int(x), int(y)), int(rng.uniform(0.10, 0.2) * columns), 1.0, -1)
        blob = cv2.GaussianBlur(blob, (0, 0), 0.03 * columns)
        leaf = blob + 0.45 * fractal(rows, columns, 0.9 * PPM, rng, 4) > 0.55
        light = (
            1
            + 0.55 * fractal(rows, columns, 0.8 * PPM, rng, 4)
            + 0.35 * (cv2.GaussianBlur(blob, (0, 0), 0.09 * columns) - np.linspace(0.1, 1.0, rows)[:, None])
        )
        colour = np.array(_LEAVES[int(rng.integers(len(_LEAVES)))]) * light[..., None]
        canvas.colour[leaf] = np.clip(colour, 0, 255).astype(np.uint8)[leaf]
        alpha[leaf] = 255
    return Skin(canvas, alpha), width, height


@lru_cache(maxsize=16)
def bush(variant: int) -> tuple[Skin, float, float]:
    """A bush or a length of hedge."""
    rng = stream("bush", variant)
    width, height = float(rng.uniform(1.5, 5)), float(rng.uniform(0.9, 1.8))
    canvas = Canvas(width, height, _LEAVES[int(rng.integers(4))])
    rows, columns = canvas.relief.shape
    edge = np.minimum(
        np.linspace(0, 1, rows)[:, None] * 2.2,
        3 * np.minimum(np.linspace(0, 1, columns), np.linspace(1, 0, columns))[None, :],
    )
    canvas.tint(1 + 0.7 * fractal(rows, columns, 0.4 * PPM, rng, 3) - 0.3 * np.linspace(0, 1, rows)[:, None])
    alpha = np.where(edge + 0.4 * fractal(rows, columns, 0.6 * PPM, rng, 3) > 0.45, 255, 0).astype(np.uint8)
    return Skin(canvas, alpha), width, height


@lru_cache(maxsize=32)
def person(variant: int) -> tuple[Skin, float, float]:
    """Somebody, standing or walking."""
    rng = stream("person", variant)
    height, width = float(rng.uniform(1.55, 1.9)), 0.8
    canvas, mask = Canvas(width, height), Canvas(width, height, (0, 0, 0))
    coat, legs = (np.array(_CLOTHES[int(i)]) for i in rng.integers(0, len(_CLOTHES), 2))
    skin = np.array([(222, 184, 158), (178, 132, 100), (122, 84, 62)][int(rng.integers(3))])
    middle, stride = width / 2, float(rng.uniform(0.02, 0.2))
    parts: list[tuple[Points, Array]] = [
        (
            [
                (middle - stride - 0.09, 0),
                (middle - stride + 0.09, 0),
                (middle + 0.12, 0.5 * height),
                (middle - 0.14, 0.5 * height),
            ],
            legs,
        ),
        (
            [
                (middle + stride - 0.09, 0),
                (middle + stride + 0.09, 0),
                (middle + 0.14, 0.5 * height),
                (middle - 0.12, 0.5 * height),
            ],
            legs * 0.85,
        ),
        (
            [
                (middle - 0.2, 0.44 * height),
                (middle + 0.2, 0.44 * height),
                (middle + 0.24, 0.8 * height),
                (middle + 0.1, 0.85 * height),
                (middle - 0.1, 0.85 * height),
                (middle - 0.24, 0.8 * height),
            ],
            coat,
        ),
        (arc(middle, 0.92 * height, 0.12, 0, 360, 14), skin),
        (arc(middle, 0.94 * height, 0.125, -10, 190, 10), skin * rng.choice([0.25, 0.5, 0.8])),
    ]
    for outline, colour in parts:
        canvas.shape(outline, colour)
        mask.shape(outline, (255, 255, 255))
    return Skin(canvas, mask.colour[..., 0]), width, height


@lru_cache(maxsize=8)
def lamp(variant: int) -> tuple[Skin, float, float]:
    """A street lamp, a flagpole or a signpost."""
    rng = stream("lamp", variant)
    height, width = float(rng.uniform(4, 8)), 2.0
    canvas, mask = Canvas(width, height, (52, 54, 56)), Canvas(width, height, (0, 0, 0))
    shapes: list[Points] = [[(0.93, 0), (1.07, 0), (1.05, height - 0.2), (0.95, height - 0.2)]]
    if variant % 3 == 0:
        flag = [(1.05, height - 0.3), (1.95, height - 0.4), (1.9, height - 1.2), (1.05, height - 1.1)]
        canvas.shape(flag, _CLOTHES[int(rng.integers(len(_CLOTHES)))])
        shapes.append(flag)
    elif variant % 3 == 1:
        for x in (0.45, 1.55):
            shapes += [
                [(1, height - 0.9), (x, height - 0.6), (x, height - 0.7), (1, height - 1.0)],
                list(arc(x, height - 0.4, 0.28, 0, 360, 12)),
            ]
            canvas.disc(x, height - 0.4, 0.26, (236, 230, 206))
    else:
        board = [(0.3, height - 1.4), (1.7, height - 1.4), (1.7, height - 0.5), (0.3, height - 0.5)]
        canvas.shape(board, _PAINT[int(rng.integers(len(_PAINT)))])
        letters(canvas, 0.4, height - 1.2, 0.5, 3, (240, 238, 230), rng)
        shapes.append(board)
    for outline in shapes:
        mask.shape(outline, (255, 255, 255))
    return Skin(canvas, mask.colour[..., 0]), width, height


@lru_cache(maxsize=24)
def vehicle(variant: int) -> Mesh:
    """A car, a van or a bus, its length along x, its middle at the origin."""
    rng = stream("vehicle", variant)
    paint = np.array(_PAINT[int(rng.integers(len(_PAINT)))])
    build = Builder()
    if variant % 4 == 3:  # a bus
        length, wide, high = float(rng.uniform(8, 11)), 2.5, 3.0
        side = _panel(length, high, paint, (0.45, 0.82), int(length / 1.4), rng)
        end = _panel(wide, high, paint, (0.42, 0.86), 1, rng)
        roof = Skin(Canvas(length, wide, paint * 0.9))
        build.box((-length / 2, length / 2), (-wide / 2, wide / 2), (0.25, high), side, end, roof)
        return build.mesh()
    length, wide = float(rng.uniform(3.8, 4.7)), 1.75
    low, high = float(rng.uniform(0.75, 0.95)), float(rng.uniform(1.4, 1.75))
    body = _panel(length, low - 0.15, paint, None, 2, rng)
    end = _panel(wide, low - 0.15, paint, None, 0, rng)
    bonnet = Skin(Canvas(length, wide, paint * 1.05))
    build.box((-length / 2, length / 2), (-wide / 2, wide / 2), (0.15, low), body, end, bonnet)
    glass = Canvas(length, 0.9, paint)
    glass.rect(0, 0.08, length, 0.72, (48, 56, 64), 0.0, 120)
    for x in (0.5 * length, 0.36 * length, 0.64 * length):
        glass.rect(x - 0.05, 0, x + 0.05, 0.9, paint, 0.0, 0)
    a, b = -0.30 * length, 0.34 * length
    build.mansard((a, b), (-wide / 2 + 0.05, wide / 2 - 0.05), (low, high), 0.3, Skin(glass), bonnet)
    return build.mesh()


def _panel(
    width: float,
    height: float,
    paint: Array,
    band: tuple[float, float] | None,
    windows: int,
    rng: np.random.Generator,
) -> Skin:
    """The side of a vehicle: wheels, a band of windows, or doors."""
    canvas = Canvas(width, height, np.clip(paint, 0, 255))
    if band:
        low, high = band[0] * height, band[1] * height
        canvas.rect(0.1, low, width - 0.1, high, (44, 52, 60), 0.0, 140)
        for x in np.linspace(0.1, width - 0.1, windows + 1):
            canvas.rect(x - 0.07, low, x + 0.07, high, paint * 0.9, 0.0, 0)
        if windows > 1:
            letters(canvas, 0.2 * width, 0.2 * height, 0.16 * height, 8, np.clip(paint * 0.3 + 150, 0, 255), rng)
    elif windows:
        for x in (0.36, 0.62):
            canvas.line([(x * width, 0.1), (x * width, height)], paint * 0.7, 0.04)
    else:
        for x in (0.1, width - 0.1):
            canvas.rect(x - 0.09, 0.55 * height, x + 0.09, 0.8 * height, (236, 226, 190))
        canvas.rect(0.3 * width, 0.1, 0.7 * width, 0.3, (222, 222, 214))
    if windows:
        for x in (0.19 * width, 0.81 * width):
            canvas.disc(x, 0.16, 0.36, (26, 26, 28))
            canvas.disc(x, 0.16, 0.18, (140, 142, 146))
    canvas.rect(0, 0, width, 0.07, (30, 30, 32))
    return Skin(canvas)
