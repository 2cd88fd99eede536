"""One picture of a thing on the turntable, and where the thing is in it."""

from __future__ import annotations

import cv2
import numpy as np

from deepret.data.photo import Box
from deepret.data.scenes.camera import Camera, frame
from deepret.data.scenes.canvas import Array, Colour
from deepret.data.scenes.compose import SUPER
from deepret.data.scenes.lens import develop
from deepret.data.scenes.light import Light, shade, sides
from deepret.data.scenes.raster import Buffers, draw
from deepret.data.scenes.solids import Mesh

ELEVATIONS = (30.0, 45.0, 60.0)
"""Degrees above the ground at which the camera stands, as in the RGB-D Object dataset."""
GROUNDS: tuple[Colour, ...] = ((196, 192, 184), (168, 172, 178), (214, 208, 196))
"""Colours of the turntable's cloth."""


def take(thing: Mesh, angle: float, elevation: float, size: int, rng: np.random.Generator) -> tuple[Array, Box]:
    """A picture (h, w, 3) uint8, three parts high and four wide, and the thing's box in it.

    Args:
        thing: in the middle of the ground.
        angle: degrees by which it is turned.
        elevation: of the camera, in degrees.
        size: the picture's width in pixels.
        rng: for the ground, the lamp and the lens.
    """
    turned = thing.placed(angle, 0, 0)
    corners = turned.corners.reshape(-1, 3)
    shape = (size, 2 * round(size * 3 / 8))
    share, roll = float(rng.uniform(0.5, 0.62)), float(rng.normal(0, 0.5))
    camera = frame(corners, 0.0, elevation, 4.0, share, (0.5, 0.5), roll, shape)
    large, light = camera.scaled(SUPER), _lamp(rng)
    buffers = Buffers(large.width, large.height)
    count = len(turned.skin)
    _ground(buffers, large, count, GROUNDS[int(rng.integers(len(GROUNDS)))])
    masks = np.zeros((1, large.height, large.width), np.uint8)
    draw(buffers, turned, large, sides(turned, light), np.zeros(count, int), masks)
    low, high = corners.min(0), corners.max(0)
    reach = float(np.linalg.norm(high - low) / 2 + 4)
    picture = shade(buffers, turned, large, light, turned, (low + high) / 2, reach)
    x, y, w, h = cv2.boundingRect(masks[0])
    box = tuple(round(v / SUPER, 1) for v in (x, y, x + w, y + h))
    return develop(picture, light, shape, rng), box  # type: ignore[return-value]


def _lamp(rng: np.random.Generator) -> Light:
    """A lamp above the camera's left, and a white room."""
    height, turn = np.radians(rng.uniform(50, 62)), np.radians(rng.uniform(-50, -20))
    direction = np.array([np.sin(turn) * np.cos(height), -np.cos(turn) * np.cos(height), np.sin(height)])
    return Light("overcast", direction, np.array([0.62, 0.6, 0.56]), np.array([0.62, 0.62, 0.62]), 0.0)


def _ground(buffers: Buffers, camera: Camera, number: int, colour: Colour) -> None:
    """Covers all that lies below the horizon with one colour, as face ``number``."""
    x = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.focal)[None, :]
    y = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.focal)[:, None]
    forward = camera.rotation[:, 2]
    near = -(x * forward[0] + y * forward[1] + forward[2]) / camera.centre[2]
    below = near > 0
    buffers.colour[below] = (*colour, 0)
    buffers.near[below] = near[below]
    buffers.face[below] = number
