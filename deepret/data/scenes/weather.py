"""Fog, rain and snow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from deepret.data.scenes.canvas import Array, fractal
from deepret.data.scenes.light import Light
from deepret.data.scenes.raster import Buffers, normals
from deepret.data.scenes.solids import Mesh

Kind = Literal["clear", "haze", "fog", "rain", "snow"]


@dataclass(frozen=True)
class Weather:
    """The weather: its kind, and the distance in metres at which fog hides two thirds of the contrast."""

    kind: Kind
    sight: float


def draw_weather(rng: np.random.Generator) -> Weather:
    """Mostly clear or hazy; fog, rain and snow now and then."""
    kinds: tuple[Kind, ...] = ("clear", "haze", "fog", "rain", "snow")
    kind = kinds[int(rng.choice(5, p=(0.50, 0.26, 0.07, 0.09, 0.08)))]
    low, high = {"clear": (1500, 4000), "haze": (350, 900), "fog": (140, 300), "rain": (260, 700), "snow": (260, 700)}[
        kind
    ]
    return Weather(kind, float(rng.uniform(low, high)))


def settle(buffers: Buffers, mesh: Mesh, weather: Weather, rng: np.random.Generator) -> None:
    """Snow lies on what looks up; rain darkens the ground."""
    if weather.kind not in ("rain", "snow"):
        return
    up = np.concatenate([normals(mesh.corners)[:, 2], [1.0]])[np.clip(buffers.face, 0, len(mesh.skin))]
    if weather.kind == "rain":
        ground = buffers.face == len(mesh.skin)
        buffers.colour[ground, :3] = (buffers.colour[ground, :3] * 0.62).astype(np.uint8)
        return
    rows, columns = up.shape
    lies = (up + 0.45 * fractal(rows, columns, 20, rng, 4) > rng.uniform(0.55, 0.8)) & (buffers.face >= 0)
    buffers.colour[lies, :3] = (0.12 * buffers.colour[lies, :3] + 0.88 * np.array((232, 236, 242))).astype(np.uint8)
    buffers.colour[lies, 3] = 0


def air(picture: Array, near: Array, light: Light, weather: Weather) -> None:
    """Fog between the camera and things, in place; ``near`` (H, W) is 1 / metres and 0 in the sky."""
    veil = 1 - np.exp(np.float32(-1 / weather.sight) / np.maximum(near, np.float32(1 / 4000)))
    if weather.kind in ("clear", "haze"):
        veil[near <= 0] *= 0.25
    colour = 0.62 * light.sky + 0.10 * light.sun
    picture += (colour.astype(np.float32) - picture) * veil[..., None].astype(np.float32)


def fall(picture: Array, weather: Weather, light: Light, rng: np.random.Generator) -> None:
    """Streaks of rain or flakes of snow before the lens, in place."""
    if weather.kind not in ("rain", "snow"):
        return
    rows, columns = picture.shape[:2]
    layer: Array = np.zeros((rows, columns), np.uint8)
    if weather.kind == "rain":
        lean = rng.normal(0, 0.2)
        for _ in range(int(rng.uniform(60, 220))):
            x, y, long = rng.uniform(0, columns), rng.uniform(0, rows), rng.uniform(0.02, 0.09) * rows
            cv2.line(
                layer,
                (int(x), int(y)),
                (int(x + lean * long), int(y + long)),
                int(rng.uniform(40, 110)),
                1,
                cv2.LINE_AA,
            )
    else:
        for _ in range(int(rng.uniform(60, 160))):
            radius = int(rng.choice([1, 1, 1, 2, 2, 3]) * rows / 420 + 0.5)
            cv2.circle(
                layer,
                (int(rng.uniform(0, columns)), int(rng.uniform(0, rows))),
                radius,
                int(rng.uniform(90, 230)),
                -1,
                cv2.LINE_AA,
            )
        layer = cv2.GaussianBlur(layer, (3, 3), 0)
    weight = (layer.astype(np.float32) / 255)[..., None]
    picture += (np.float32(1.1) * light.sky.astype(np.float32) - picture) * weight
