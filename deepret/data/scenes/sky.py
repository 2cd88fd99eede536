"""What lies behind the buildings: the sky with its clouds, hills, trees and haze at the horizon."""

from __future__ import annotations

import cv2
import numpy as np

from deepret.data.scenes.camera import Camera
from deepret.data.scenes.canvas import Array, fractal
from deepret.data.scenes.light import Hour, Light

_COLOURS: dict[Hour, list[tuple[tuple[float, float, float], tuple[float, float, float]]]] = {
    # horizon, zenith: linear
    "day": [
        ((0.62, 0.74, 0.86), (0.13, 0.30, 0.66)),
        ((0.72, 0.78, 0.84), (0.24, 0.42, 0.72)),
        ((0.55, 0.70, 0.85), (0.07, 0.20, 0.52)),
    ],
    "overcast": [
        ((0.72, 0.74, 0.77), (0.50, 0.53, 0.58)),
        ((0.80, 0.80, 0.80), (0.66, 0.68, 0.71)),
        ((0.52, 0.55, 0.60), (0.30, 0.33, 0.38)),
    ],
    "golden": [((0.95, 0.66, 0.36), (0.22, 0.32, 0.55)), ((0.90, 0.74, 0.52), (0.32, 0.44, 0.66))],
    "dusk": [((0.62, 0.32, 0.24), (0.06, 0.07, 0.18)), ((0.46, 0.30, 0.38), (0.08, 0.09, 0.22))],
    "night": [((0.045, 0.055, 0.10), (0.006, 0.010, 0.028)), ((0.09, 0.065, 0.055), (0.010, 0.012, 0.024))],
}


def draw_sky(camera: Camera, light: Light, rng: np.random.Generator) -> Array:
    """The sky over the whole picture (H, W, 3), linear float32."""
    choices = _COLOURS[light.hour]
    horizon, zenith = (np.array(c, np.float32) for c in choices[int(rng.integers(len(choices)))])
    x = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.focal).astype(np.float32)
    y = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.focal).astype(np.float32)
    r = camera.rotation.astype(np.float32)
    length = np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2)
    up = (x[None, :] * r[0, 2] + y[:, None] * r[1, 2] + r[2, 2]) / length
    t = np.clip(1.6 * up, 0, 1) ** 0.65
    sky = horizon + (zenith - horizon) * t[..., None]
    sun = (camera.rotation @ light.direction).astype(np.float32)
    toward = np.clip((x[None, :] * sun[0] + y[:, None] * sun[1] + sun[2]) / length, 0, 1)
    glow = light.sun * (0.18 if light.hour in ("golden", "dusk") else 0.09)
    sky += (toward**6)[..., None] * glow.astype(np.float32)
    _clouds(sky, up, light, horizon, rng)
    _hills(sky, camera, up, light, horizon, rng)
    picture: Array = sky.astype(np.float32)
    return picture


def _clouds(sky: Array, up: Array, light: Light, horizon: Array, rng: np.random.Generator) -> None:
    rows, columns = sky.shape[:2]
    cover: float = {"day": rng.uniform(-0.7, 0.5), "overcast": rng.uniform(0.1, 0.9)}.get(
        light.hour, rng.uniform(-0.6, 0.6)
    )
    small = rows // 3 + 1, columns // 3 + 1
    noise = fractal(small[0] * 2, small[1], max(8.0, small[1] / rng.uniform(1.5, 4)), rng, 5)
    noise = cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_LINEAR)  # wider than high, as clouds are
    thick = np.clip((noise + cover) * 1.8, 0, 1) * np.clip(8 * up + 0.3, 0, 1)
    relief = cv2.blur(noise, (9, 9)) - np.roll(cv2.blur(noise, (9, 9)), 6, axis=0)
    bright = np.clip(0.82 + 1.3 * relief, 0.45, 1.2)
    white = light.sky * 0.75 + light.sun * (0.30 if light.hour != "golden" else 0.22)
    cloud = bright[..., None] * (0.75 * white + 0.25 * horizon).astype(np.float32)
    sky += (cloud - sky) * (0.9 * thick)[..., None]


def _hills(sky: Array, camera: Camera, up: Array, light: Light, horizon: Array, rng: np.random.Generator) -> None:
    """One to three ridges at the horizon, hazier the farther they are: hills, woods, or roofs of a far town."""
    columns = np.arange(camera.width)
    ray = (columns + 0.5 - camera.cx) / camera.focal
    turn = np.arctan2(ray, 1.0)
    ridges = int(rng.integers(1, 4))
    for i in range(ridges):
        kind = rng.choice(["hill", "wood", "town"], p=(0.35, 0.4, 0.25))
        height = rng.uniform(0.025, 0.11) * (ridges - i) / ridges + 0.012
        grid = rng.random(400)
        at = (turn + 2) * rng.uniform(4, 9)
        line = np.interp(at, np.arange(400), grid)
        if kind == "wood":
            line = (
                0.5 * line
                + 0.35 * np.interp(at * 9, np.arange(400), grid)
                + 0.15 * np.interp(at * 31, np.arange(400), grid)
            )
        elif kind == "town":
            line = 0.3 + 0.7 * grid[np.clip((at * 6).astype(int), 0, 399)]
        base = {"hill": (0.16, 0.20, 0.12), "wood": (0.06, 0.10, 0.045), "town": (0.22, 0.20, 0.19)}[str(kind)]
        haze = 0.75 - 0.55 * (i + 1) / ridges
        lit = np.array(base) * (light.sky + 0.5 * light.sun * max(light.direction[2], 0.2))
        colour = (haze * horizon + (1 - haze) * lit).astype(np.float32)
        grain = 1 + (0.25 * (1 - haze)) * fractal(camera.height, camera.width, 6, rng, 2)
        inside = up < (height * line).astype(np.float32)[None, :]
        rows, columns = np.nonzero(inside)
        sky[rows, columns] = grain[rows, columns, None] * colour
