"""The sheet that a wall is drawn on: colour, relief and glass, and how light falls into the relief."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Colour = Sequence[float] | Array
"""Red, green, blue, 0 to 255."""
Points = Array | Sequence[Sequence[float] | Array]
"""Points (k, 2)."""

PPM = 16
"""Pixels of a texture for each metre of wall."""


def stream(*keys: int | str) -> np.random.Generator:
    """A random generator that depends on its keys alone, on any machine and in any process."""
    return np.random.default_rng([k if isinstance(k, int) else zlib.crc32(k.encode()) for k in keys])


def fractal(rows: int, columns: int, cell: float, rng: np.random.Generator, octaves: int = 3) -> Array:
    """Smooth noise (rows, columns) of zero mean and about unit range, its largest blotches ``cell`` pixels wide.

    It is built up from coarse to fine, each octave at its own resolution: Σ_k 2^(−k) noise(cell 2^(−k)).
    """
    total: Array | None = None
    weight = 1.6
    for octave in range(octaves):
        pitch = cell / 2**octave
        if pitch < 1 and total is not None:
            break
        grid = weight * (rng.random((int(rows / pitch) + 3, int(columns / pitch) + 3), dtype=np.float32) - 0.5)
        if total is not None:
            height, width = total.shape
            twice = cv2.resize(total, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
            grid += twice[: grid.shape[0], : grid.shape[1]]
        total, finest = grid, pitch
        weight *= 0.5
    assert total is not None
    # the grid is larger than the sheet by a cell or more, so that its phase does not follow the border
    size = max(columns, int(total.shape[1] * finest)), max(rows, int(total.shape[0] * finest))
    smooth: Array = cv2.resize(total, size, interpolation=cv2.INTER_CUBIC)[:rows, :columns]
    return smooth


class Canvas:
    """A wall of ``width`` × ``height`` metres; x runs to the right and y *up*, from the lower left corner.

    It holds ``colour`` (h, w, 3) uint8, ``relief`` (h, w) float32, metres before the wall's plane, and ``glass``
    (h, w) uint8, 0 on walls and otherwise a number that each pane has to itself (it decides who leaves the light on).
    """

    def __init__(self, width: float, height: float, colour: Colour = (200, 200, 200)) -> None:
        self.width, self.height = width, height
        shape = max(4, round(height * PPM)), max(4, round(width * PPM))
        self.colour: Array = np.full((*shape, 3), colour, np.uint8)
        self.relief: Array = np.zeros(shape, np.float32)
        self.glass: Array = np.zeros(shape, np.uint8)

    def _pixels(self, points: Points) -> Array:
        """Metres (k, 2) → sixteenths of a pixel, as OpenCV's drawing functions want them."""
        flipped = np.asarray(points, np.float64) * (16 * PPM, -16 * PPM) + (-8, 16 * self.colour.shape[0] - 8)
        sixteenths: Array = np.rint(flipped).astype(np.int32)
        return sixteenths

    def shape(
        self,
        points: Points,
        colour: Colour | None = None,
        relief: float | None = None,
        glass: int | None = None,
    ) -> None:
        """Fills a polygon (k, 2) in metres."""
        pixels = [self._pixels(points)]
        if colour is not None:
            cv2.fillPoly(self.colour, pixels, [float(c) for c in colour], cv2.LINE_AA, 4)
        if relief is not None:
            cv2.fillPoly(self.relief, pixels, relief, cv2.LINE_8, 4)
        if glass is not None:
            cv2.fillPoly(self.glass, pixels, glass, cv2.LINE_8, 4)

    def rect(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: Colour | None = None,
        relief: float | None = None,
        glass: int | None = None,
    ) -> None:
        """Fills an upright rectangle."""
        self.shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, relief, glass)

    def line(self, points: Points, colour: Colour, width: float, relief: float | None = None) -> None:
        """Draws an open line ``width`` metres thick."""
        thick = max(1, round(width * PPM))
        pixels = [self._pixels(points)]
        cv2.polylines(self.colour, pixels, False, [float(c) for c in colour], thick, cv2.LINE_AA, 4)
        cv2.polylines(self.glass, pixels, False, 0, thick, cv2.LINE_8, 4)
        if relief is not None:
            cv2.polylines(self.relief, pixels, False, relief, thick, cv2.LINE_8, 4)

    def disc(
        self,
        x: float,
        y: float,
        radius: float,
        colour: Colour | None = None,
        relief: float | None = None,
        glass: int | None = None,
    ) -> None:
        """Fills a circle."""
        self.shape(arc(x, y, radius, 0, 360), colour, relief, glass)

    def tint(self, factor: Array) -> None:
        """Multiplies the colour by ``factor``, (h, w) or (h, w, 3)."""
        factor = factor if factor.ndim == 3 else factor[..., None]
        self.colour = np.clip(self.colour * factor, 0, 255).astype(np.uint8)


def arc(x: float, y: float, radius: float, start: float, end: float, steps: int = 24) -> Array:
    """Points (steps, 2) of a circle's arc, its angles in degrees, counter-clockwise from the right."""
    angles = np.radians(start + (end - start) / (steps - 1) * np.arange(steps))
    points = np.empty((steps, 2))
    points[:, 0], points[:, 1] = x + radius * np.cos(angles), y + radius * np.sin(angles)
    return points


def bake(canvas: Canvas, side: int) -> Array:
    """Colour and glass (h, w, 4) with the light that the relief catches.

    Args:
        canvas: the wall.
        side: −1 where the sun stands at the left, 1 at the right, 0 under an even sky: recesses darken, edges that
            look at the light brighten, and what stands out throws a shadow at 45° to the other side.
    """
    relief = canvas.relief
    wide = cv2.blur(relief, (PPM // 2 + 1, PPM // 2 + 1))
    light = 1.0 - np.clip(1.3 * (wide - relief), 0.0, 0.35)  # recesses see less of the sky
    down = cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3)
    light -= np.clip(down, -0.35, 0.25) * -0.25
    if side:
        across = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3)
        light -= np.clip(across * side, -0.4, 0.4) * 0.16
        shadow = np.zeros_like(relief)
        for step in range(1, 6):
            moved = np.array([[1, 0, -side * step], [0, 1, step]], np.float32)
            above = cv2.warpAffine(relief, moved, relief.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
            shadow = np.maximum(shadow, np.clip((above - relief - step / PPM) * PPM, 0, 1))
        light *= 1.0 - 0.2 * cv2.blur(shadow, (3, 3))
    lit = np.clip(canvas.colour * light[..., None], 0, 255).astype(np.uint8)
    return np.dstack([lit, canvas.glass])


class Skin:
    """A finished wall: baked for each side of the light, in ever smaller copies, made when first asked for."""

    def __init__(self, canvas: Canvas, alpha: Array | None = None) -> None:
        self._canvas = canvas
        self._levels: dict[tuple[int, int], Array] = {}
        self._alpha: dict[int, Array] = {} if alpha is None else {0: alpha}

    @property
    def cutout(self) -> bool:
        """Whether parts of it are see-through."""
        return bool(self._alpha)

    def level(self, side: int, level: int) -> Array:
        """The texture (h, w, 4), ``level`` times halved."""
        key = side, level
        if key not in self._levels:
            self._levels[key] = bake(self._canvas, side) if level == 0 else _half(self.level(side, level - 1))
        return self._levels[key]

    def alpha(self, level: int) -> Array:
        """The opacity (h, w) uint8, ``level`` times halved."""
        if level not in self._alpha:
            self._alpha[level] = _half(self.alpha(level - 1))
        return self._alpha[level]


def _half(image: Array) -> Array:
    rows, columns = image.shape[:2]
    return cv2.resize(image, (max(1, columns // 2), max(1, rows // 2)), interpolation=cv2.INTER_AREA)
