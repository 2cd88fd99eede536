"""The sun and the sky: what colours they have, where shadows fall, how bright each face is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from deepret.data.scenes.camera import Camera
from deepret.data.scenes.canvas import Array
from deepret.data.scenes.raster import Buffers, depth_map, normals
from deepret.data.scenes.solids import Mesh

Hour = Literal["day", "overcast", "golden", "dusk", "night"]

_SUN: dict[Hour, tuple[float, float, float]] = {
    "day": (1.75, 1.62, 1.42),
    "overcast": (0.16, 0.16, 0.17),
    "golden": (1.95, 1.32, 0.74),
    "dusk": (0.80, 0.52, 0.40),
    "night": (0.62, 0.47, 0.30),
}
_SKY: dict[Hour, tuple[float, float, float]] = {
    "day": (0.46, 0.56, 0.72),
    "overcast": (0.78, 0.81, 0.86),
    "golden": (0.44, 0.44, 0.56),
    "dusk": (0.30, 0.29, 0.42),
    "night": (0.10, 0.12, 0.20),
}


@dataclass(frozen=True)
class Light:
    """The light of a picture, linear: 1 is white paper under it.

    Args:
        hour: of the day.
        direction: (3,) unit vector towards the sun or the moon.
        sun: its colour and strength.
        sky: colour and strength of the even light from above.
        lamps: share of the windows that are lit from inside.
    """

    hour: Hour
    direction: Array
    sun: Array
    sky: Array
    lamps: float


def draw_light(rng: np.random.Generator) -> Light:
    """A light as it comes: mostly day, often grey, now and then evening or night."""
    hours: tuple[Hour, ...] = ("day", "overcast", "golden", "dusk", "night")
    hour = hours[int(rng.choice(5, p=(0.52, 0.17, 0.17, 0.08, 0.06)))]
    low, high = {"day": (28, 62), "overcast": (40, 70), "golden": (12, 26), "dusk": (8, 20), "night": (8, 18)}[hour]
    height, turn = np.radians(rng.uniform(low, high)), np.radians(rng.uniform(-115, 115))
    turn = turn * 0.5 if hour == "night" else turn  # floodlights stand before the front
    direction = np.array([np.sin(turn) * np.cos(height), -np.cos(turn) * np.cos(height), np.sin(height)])
    strength = rng.uniform(0.8, 1.15)
    warm = rng.normal(0, 0.05)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    lamps = {"day": 0.0, "overcast": 0.03, "golden": 0.06, "dusk": 0.2, "night": 0.4}[hour] * rng.uniform(0.5, 1.3)
    return Light(hour, direction, np.array(_SUN[hour]) * strength * tint, np.array(_SKY[hour]) * tint, float(lamps))


def sides(mesh: Mesh, light: Light) -> Array:
    """From which side the sun meets each face (F,): −1 left, 1 right, 0 where it does not."""
    right = mesh.corners[:, 1] - mesh.corners[:, 0]
    lit = (normals(mesh.corners) @ light.direction > 0.02) & (light.sun.mean() > 0.3)
    return np.where(lit, np.where(right @ light.direction > 0, 1, -1), 0)


def shade(
    buffers: Buffers, mesh: Mesh, camera: Camera, light: Light, casters: Mesh, middle: Array, reach: float
) -> Array:
    """The picture (H, W, 3), linear float32, without its sky.

    Face numbers from F on are the ground. Every pixel gets sky light by how far up it looks, sunlight by Lambert's law
    where no shadow falls, and lit or mirroring glass.

    Args:
        buffers: as drawn.
        mesh: the F faces drawn.
        camera: the view.
        light: the light.
        casters: what throws shadows.
        middle: (3,) of what shadows are wanted for.
        reach: metres around it.
    """
    normal = np.concatenate([normals(mesh.corners), [[0.0, 0.0, 1.0]]])
    albedo = buffers.colour[..., :3].astype(np.float32)
    albedo *= albedo * np.float32(1 / 65025)
    face = np.clip(buffers.face, 0, len(normal) - 1)
    up = (normal[:, 2] + 1) / 2
    bounce = 0.28 * (light.sky * 0.5 + light.sun * max(light.direction[2], 0)) * (0.9, 0.8, 0.68)
    ambient = (0.9 * light.sky * (0.35 + 0.65 * up[:, None]) + bounce * (1 - up[:, None])).astype(np.float32)
    # faces that look away from the brighter half of the sky are a little darker, so that corners show in the shade
    ambient *= (1 + 0.22 * (normal @ (light.direction * (1, 1, 0))))[:, None].astype(np.float32)
    direct = np.clip(normal @ light.direction, 0, 1)[:, None].astype(np.float32) * light.sun.astype(np.float32)
    total = ambient[face]
    if light.sun.mean() > 0.1:
        total += direct[face] * _sunlit(buffers, camera, light, casters, middle, reach)[..., None]
    picture: Array = albedo * total
    _glass(picture, buffers, camera, normal, face, light)
    return picture


def _sunlit(buffers: Buffers, camera: Camera, light: Light, casters: Mesh, middle: Array, reach: float) -> Array:
    """1 where the sun reaches, 0 in a shadow (H, W), soft at the edges: a shadow map."""
    forward = -light.direction
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    size = max(96, min(320, 3 * max(camera.width, camera.height) // 4))
    scale = size / (2 * reach)
    depth = depth_map(casters, rotation, middle, scale, size)
    # a pixel's point in the light's frame is affine in its ray / nearness
    turn = rotation @ camera.rotation.T
    start = rotation @ (camera.centre - middle)
    x = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.focal).astype(np.float32)
    y = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.focal).astype(np.float32)
    far = 1 / np.maximum(buffers.near, 1e-5)
    p = [
        (np.float32(t[0]) * x + (np.float32(t[1]) * y + np.float32(t[2]))[:, None]) * far + np.float32(s)
        for t, s in zip(turn, start, strict=True)
    ]
    u, v = (q * np.float32(scale) + np.float32(size / 2 - 0.5) for q in p[:2])
    first = cv2.remap(depth, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1e6)
    lit = (p[2] < first + np.float32(2.2 / scale + 0.05)).astype(np.float32)
    return cv2.blur(lit, (3, 3))


def _glass(picture: Array, buffers: Buffers, camera: Camera, normal: Array, face: Array, light: Light) -> None:
    """Panes mirror the sky, more at a slant; those of people at home shine."""
    pane = buffers.colour[..., 3]
    rows, columns = np.nonzero(pane > 20)
    if not len(rows):
        return
    number = pane[rows, columns].astype(np.int32)
    ray = np.stack(
        [(columns + 0.5 - camera.cx) / camera.focal, (rows + 0.5 - camera.cy) / camera.focal, np.ones(len(rows))],
        axis=1,
    )
    ray = (ray / np.linalg.norm(ray, axis=1, keepdims=True)) @ camera.rotation
    slant = np.clip(-(ray * normal[face[rows, columns]]).sum(1), 0, 1)
    mirror = (0.06 + 0.7 * (1 - slant) ** 3 + 0.18 * ((number * 37) % 101 / 101)) * np.clip(number / 128, 0.2, 1)
    old = picture[rows, columns]
    new = old + (mirror[:, None] * (0.75 * light.sky)).astype(np.float32)
    shines = (number > 34) & ((number * 73) % 211 < 211 * light.lamps)
    glow = np.array([1.0, 0.66, 0.30]) * (0.35 + 0.65 * ((number * 29) % 83 / 83))[:, None]
    new = np.where(shines[:, None], 0.4 * old + glow, new)
    picture[rows, columns] = new.astype(np.float32)
