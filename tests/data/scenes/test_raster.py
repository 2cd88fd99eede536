"""The rasteriser against rays cast one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from deepret.data.scenes.camera import Camera, look
from deepret.data.scenes.canvas import Canvas, Skin
from deepret.data.scenes.raster import NEAR, Buffers, depth_map, draw, normals
from deepret.data.scenes.solids import Builder, Mesh

EDGE = 0.2
"""Metres from an edge within which a pixel may go either way."""


def two_boxes() -> Mesh:
    build = Builder()
    red, blue = Skin(Canvas(4, 4, (200, 30, 30))), Skin(Canvas(4, 4, (30, 30, 200)))
    build.box((-4, 1), (0, 5), (0, 6), red, red, red)
    build.box((-1, 3), (-3, -1), (0, 3), blue, blue, blue)
    build.frustum((4, 3), (1.5, 0), (0.01, 7), red, 8)
    return build.mesh()


def slow_hit(mesh: Mesh, start: np.ndarray, ray: np.ndarray) -> tuple[int, float, float]:
    """The nearest face that a ray meets, how far along, and how far inside the face's border (metres)."""
    best = (-1, np.inf, np.inf)
    for number, (corners, normal) in enumerate(zip(mesh.corners, normals(mesh.corners), strict=True)):
        if ray @ normal >= -1e-9:
            continue
        t = ((corners[0] - start) @ normal) / (ray @ normal)
        point = start + t * ray
        inside = np.inf
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if np.linalg.norm(b - a) > 1e-6:
                inside = min(inside, float(np.cross(b - a, point - a) @ normal / np.linalg.norm(b - a)))
        if abs(inside) < EDGE:
            return -1, np.inf, 0.0  # too near an edge to call
        if inside > 0 and 0 < t < best[1]:
            best = (number, t, inside)
    return best


def drawn(camera: Camera, mesh: Mesh) -> tuple[Buffers, np.ndarray]:
    buffers = Buffers(camera.width, camera.height)
    count = len(mesh.skin)
    masks = np.zeros((2, camera.height, camera.width), np.uint8)
    draw(buffers, mesh, camera, np.zeros(count, int), np.where(np.arange(count) < 5, 0, 1), masks)
    return buffers, masks


@pytest.mark.parametrize("centre", [(6.0, -14.0, 4.0), (-9.0, -10.0, 1.7), (1.0, -8.0, 12.0)])
def test_nearest_face_wins(centre: tuple[float, float, float]) -> None:
    mesh, at = two_boxes(), np.array(centre)
    camera = Camera(at, look(at, np.array([0.0, 0, 2.5]), 2.0), 120.0, 80.0, 60.0, 160, 120)
    buffers, _ = drawn(camera, mesh)
    checked = 0
    for row in range(1, 120, 6):
        for column in range(1, 160, 6):
            pixel = np.array([(column + 0.5 - camera.cx) / camera.focal, (row + 0.5 - camera.cy) / camera.focal, 1.0])
            number, t, margin = slow_hit(mesh, at, pixel @ camera.rotation)
            if margin < EDGE:
                continue
            assert buffers.face[row, column] == number
            if number >= 0:
                assert buffers.near[row, column] == pytest.approx(1 / t, rel=1e-4)
                checked += 1
    assert checked > 30


def test_masks_count_what_is_hidden() -> None:
    mesh, at = two_boxes(), np.array([0.0, -14.0, 2.0])
    camera = Camera(at, look(at, np.array([0.0, 0, 2.5]), 0.0), 60.0, 40.0, 30.0, 80, 60)
    buffers, masks = drawn(camera, mesh)
    hidden = (masks[0] > 0) & (buffers.face >= 5)
    assert hidden.sum() > 50


def test_what_reaches_behind_the_camera_is_cut_off() -> None:
    build = Builder()
    skin = Skin(Canvas(4, 4))
    build.trapezoid((-1, -50, 0), (-1, 50, 0), (-1, 50, 4), (-1, -50, 4), skin)  # a wall along the street
    mesh, at = build.mesh(), np.array([0.0, 0.0, 2.0])
    assert normals(mesh.corners)[0] == pytest.approx((1, 0, 0))
    camera = Camera(at, look(at, np.array([0.0, 10, 2]), 0.0), 40.0, 40.0, 30.0, 80, 60)
    buffers = Buffers(80, 60)
    draw(buffers, mesh, camera, np.zeros(1, int), np.array([-1]), np.zeros((0, 60, 80), np.uint8))
    assert (buffers.face[:, 1] == 0).all()  # a metre to the left the wall fills the picture's height
    assert (buffers.face[:, 45:] == -1).all()
    assert buffers.near.max() <= 1 / NEAR


def test_light_meets_the_nearest_face() -> None:
    mesh = two_boxes()
    down = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # the sun stands overhead
    depth = depth_map(mesh, down, np.array([0.0, 0, 0]), 4.0, 80)
    at = lambda x, y: depth[int(40 - 4 * y), int(40 + 4 * x)]  # noqa: E731
    assert at(-2, 2) == pytest.approx(-6)
    assert at(2, -2) == pytest.approx(-3)
    assert at(8, 8) == pytest.approx(1e6)
