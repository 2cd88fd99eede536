"""Draws textured faces into buffers of colour, nearness and face number, the nearest winning at each pixel."""

from __future__ import annotations

import cv2
import numpy as np

from deepret.data.scenes.camera import Camera, texture_frame
from deepret.data.scenes.canvas import PPM, Array
from deepret.data.scenes.solids import Mesh

NEAR = 0.3
"""Metres before the camera where faces are cut off."""


class Buffers:
    """What the camera sees: ``colour`` (H, W, 4) uint8 with the glass last, ``near`` (H, W) float32, 1 / metres along
    the axis, and ``face`` (H, W) int32: the number of the face, −1 where there is none.
    """

    def __init__(self, width: int, height: int) -> None:
        self.colour: Array = np.zeros((height, width, 4), np.uint8)
        self.near: Array = np.zeros((height, width), np.float32)
        self.face: Array = np.full((height, width), -1, np.int32)


def normals(corners: Array) -> Array:
    """Unit normals (F, 3) that point out of the solid."""
    n = np.cross(corners[:, 1] - corners[:, 0], (corners[:, 2] + corners[:, 3]) / 2 - corners[:, 0])
    unit: Array = n / np.linalg.norm(n, axis=1, keepdims=True)
    return unit


def draw(buffers: Buffers, mesh: Mesh, camera: Camera, sides: Array, owner: Array, masks: Array) -> None:
    """Draws all faces that look at the camera.

    Args:
        buffers: drawn into; its nearness may hold something already, such as the ground.
        mesh: F faces.
        camera: the view, of the buffers' size.
        sides: (F,) the side that the sun lights each face from: −1, 0, 1.
        owner: (F,) the number of the mask that each face is part of, −1 for none.
        masks: (buildings, H, W) uint8, 255 wherever one is, hidden or not; drawn into.
    """
    normal = normals(mesh.corners)
    facing = ((camera.centre - mesh.corners[:, 0]) * normal).sum(1) > 1e-6
    points = camera.seen(mesh.corners)
    facing &= (points[..., 2] > NEAR).any(1)
    for number in np.flatnonzero(facing):
        _face(
            buffers,
            mesh,
            int(number),
            points[number],
            normal[number],
            camera,
            int(sides[number]),
            masks[owner[number]] if owner[number] >= 0 else None,
        )


def _face(
    buffers: Buffers,
    mesh: Mesh,
    number: int,
    points: Array,
    normal: Array,
    camera: Camera,
    side: int,
    mask: Array | None,
) -> None:
    clipped = points if (points[:, 2] > NEAR).all() else _clip(points)
    pixels = clipped[:, :2] / clipped[:, 2:] * camera.focal + (camera.cx, camera.cy)
    x0, y0 = np.maximum(np.floor(pixels.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(pixels.max(0)).astype(int) + 1, (camera.width, camera.height))
    if x1 - x0 < 1 or y1 - y0 < 1:
        return
    window = slice(y0, y1), slice(x0, x1)
    cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(cover, np.rint((pixels - (x0, y0) - 0.5) * 256).astype(np.int32), 255, cv2.LINE_8, 8)
    skin = mesh.skins[mesh.skin[number]]
    level, warp = _warp(mesh.corners[number], skin.level(0, 0).shape, pixels, camera, (x0, y0))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = x1 - x0, y1 - y0
    if skin.cutout:
        cover &= np.where(cv2.warpPerspective(skin.alpha(level), warp, size, flags=flags) > 110, 255, 0).astype(
            np.uint8
        )
    if mask is not None:
        cv2.bitwise_or(mask[window], cover, dst=mask[window])
    # 1 / depth is linear in the pixels of a plane: n · ray / (n · p)
    n = camera.rotation @ normal
    scale = 1.0 / float(n @ points[0])
    across = (np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 - camera.cx)) * np.float32(
        n[0] * scale / camera.focal
    )
    along = (np.arange(y0, y1, dtype=np.float32) + np.float32(0.5 - camera.cy)) * np.float32(
        n[1] * scale / camera.focal
    )
    near = along[:, None] + across + np.float32(n[2] * scale)
    win = cover & cv2.compare(near, buffers.near[window], cv2.CMP_GT)
    if not win.any():
        return
    texture = cv2.warpPerspective(skin.level(side, level), warp, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    cv2.copyTo(texture, win, buffers.colour[window])
    cv2.copyTo(near, win, buffers.near[window])
    buffers.face[window][win > 0] = number


def _clip(points: Array) -> Array:
    """The part of a polygon (k, 3) beyond the near plane."""
    kept = []
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        if a[2] > NEAR:
            kept.append(a)
        if (a[2] > NEAR) != (b[2] > NEAR):
            kept.append(a + (b - a) * (NEAR * 1.001 - a[2]) / (b[2] - a[2]))
    return np.array(kept)


def _warp(
    corners: Array, shape: tuple[int, ...], pixels: Array, camera: Camera, offset: tuple[int, int]
) -> tuple[int, Array]:
    """The texture's level and the homography (3, 3) from the window's pixels to that level's, both at pixel centres."""
    origin, right, down = texture_frame(corners, shape)
    to_picture = camera.plane(origin, right, down)
    area = abs(_area(pixels))
    spread = corners[1] - corners[0], (corners[2] + corners[3]) / 2 - (corners[0] + corners[1]) / 2
    ratio = np.sqrt(np.linalg.norm(spread[0]) * np.linalg.norm(spread[1]) * PPM**2 / max(area, 1.0))
    level = int(np.clip(np.round(np.log2(max(ratio, 1e-3)) + 0.1), 0, 6))
    shrink = np.array([max(1, shape[1] >> level) / shape[1], max(1, shape[0] >> level) / shape[0]])
    centred = np.array([[1, 0, offset[0] + 0.5], [0, 1, offset[1] + 0.5], [0, 0, 1]])
    scale = np.array([[shrink[0], 0, -0.5], [0, shrink[1], -0.5], [0, 0, 1]])
    return level, scale @ np.linalg.inv(to_picture) @ centred


def _area(polygon: Array) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def depth_map(mesh: Mesh, rotation: Array, centre: Array, scale: float, size: int) -> Array:
    """How near each face comes to the sun, (size, size) float32, seen along parallel rays.

    Args:
        mesh: F faces.
        rotation: (3, 3), rows right, down, forward of the light.
        centre: (3,) in the middle of the map.
        scale: pixels a metre.
        size: of the map.
    """
    points = (mesh.corners - centre) @ rotation.T
    normal = normals(mesh.corners) @ rotation.T
    depth = np.full((size, size), 1e6, np.float32)
    for p, n in zip(points, normal, strict=True):
        if n[2] > -1e-3:  # it looks away from the sun: the faces before it throw its shadow
            continue
        pixels = p[:, :2] * scale + size / 2
        x0, y0 = np.maximum(np.floor(pixels.min(0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(pixels.max(0)).astype(int) + 1, size)
        if x1 <= x0 or y1 <= y0:
            continue
        cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(cover, np.rint((pixels - (x0, y0) - 0.5) * 256).astype(np.int32), 255, cv2.LINE_8, 8)
        x = (np.arange(x0, x1) + 0.5 - size / 2) / scale
        y = (np.arange(y0, y1) + 0.5 - size / 2) / scale
        far = ((n @ p[0] - n[0] * x[None, :] - n[1] * y[:, None]) / n[2]).astype(np.float32)
        window = depth[y0:y1, x0:x1]
        np.copyto(window, far, where=(cover > 0) & (far < window))
    return depth
