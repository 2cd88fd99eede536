"""Draws textured faces into buffers of colour, nearness and face number, the nearest winning at each pixel."""

from __future__ import annotations

import math

import cv2
import numpy as np

from deepret.data.scenes.camera import Camera
from deepret.data.scenes.canvas import PPM, Array, Skin
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
    facing: Array = np.asarray(((camera.centre - mesh.corners[:, 0]) * normal).sum(1) > 1e-6)
    points = camera.seen(mesh.corners)
    depth = points[..., 2]
    sure: Array = np.asarray((depth > NEAR).all(1))
    pixels = points[..., :2] / np.where(sure[:, None], depth, 1.0)[..., None] * camera.focal + (camera.cx, camera.cy)
    outside = (pixels.max(1) < 0).any(1) | (pixels.min(1) > (camera.width, camera.height)).any(1)
    chosen = np.flatnonzero(facing & (depth > NEAR).any(1) & ~(sure & outside))
    chosen = chosen[np.argsort(depth[chosen].min(1))]  # the nearest first: what they hide costs nothing
    shapes = np.array([mesh.skins[k].level(0, 0).shape[:2] for k in mesh.skin[chosen]]).reshape(-1, 2)
    planes = _planes(mesh.corners[chosen], shapes, camera)
    slopes = normal[chosen] @ camera.rotation.T
    slopes /= (slopes * points[chosen, 0]).sum(1, keepdims=True)  # 1 / depth = slope · ray on each plane
    for number, plane, slope, shape in zip(chosen, planes, slopes, shapes, strict=True):
        outline = pixels[number]
        if not sure[number]:
            clipped = _clip(points[number])
            outline = clipped[:, :2] / clipped[:, 2:] * camera.focal + (camera.cx, camera.cy)
        skin, mask = mesh.skins[mesh.skin[number]], masks[owner[number]] if owner[number] >= 0 else None
        _face(buffers, int(number), skin, int(sides[number]), outline, plane, slope, shape, camera, mask)


def _planes(corners: Array, shapes: Array, camera: Camera) -> Array:
    """The homographies (n, 3, 3) from pixels of the picture to those of each face's texture, from border to border."""
    low, high = (corners[:, 0] + corners[:, 1]) / 2, (corners[:, 2] + corners[:, 3]) / 2
    right, down = corners[:, 1] - corners[:, 0], low - high
    right /= np.linalg.norm(right, axis=1, keepdims=True) * PPM
    down /= np.linalg.norm(down, axis=1, keepdims=True) * PPM
    origin = low - right * shapes[:, 1:] / 2 - down * shapes[:, :1]
    frames = np.stack([right, down, origin - camera.centre], axis=2)
    inverse: Array = np.linalg.inv((camera.matrix @ camera.rotation) @ frames)
    return inverse


def _face(
    buffers: Buffers,
    number: int,
    skin: Skin,
    side: int,
    outline: Array,
    plane: Array,
    slope: Array,
    shape: Array,
    camera: Camera,
    mask: Array | None,
) -> None:
    """Draws one face: ``outline`` (k, 2) in pixels, its texture by ``plane`` (3, 3), its nearness by ``slope`` (3,)."""
    (x0, y0), (x1, y1) = np.floor(outline.min(0)), np.ceil(outline.max(0)) + 1
    x0, y0, x1, y1 = max(int(x0), 0), max(int(y0), 0), min(int(x1), camera.width), min(int(y1), camera.height)
    if x1 <= x0 or y1 <= y0:
        return
    window, size = (slice(y0, y1), slice(x0, x1)), (x1 - x0, y1 - y0)
    cover = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(cover, np.rint((outline - (x0 + 0.5, y0 + 0.5)) * 256).astype(np.int32), 255, cv2.LINE_8, 8)
    level, warp = _level(outline, plane, shape, (x0, y0))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if skin.cutout:
        opaque = cv2.warpPerspective(skin.alpha(level), warp, size, flags=flags) > 110
        cover &= np.where(opaque, 255, 0).astype(np.uint8)
    if mask is not None:
        cv2.bitwise_or(mask[window], cover, dst=mask[window])
    a, b, c = (float(v) for v in slope)
    across = (np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 - camera.cx)) * np.float32(a / camera.focal)
    along = (np.arange(y0, y1, dtype=np.float32) + np.float32(0.5 - camera.cy)) * np.float32(b / camera.focal)
    near = along[:, None] + (across + np.float32(c))
    win = cover & cv2.compare(near, buffers.near[window], cv2.CMP_GT)
    if not cv2.hasNonZero(win):
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


def _level(outline: Array, plane: Array, shape: Array, offset: tuple[int, int]) -> tuple[int, Array]:
    """The copy of the texture that suits the face's size in the picture, and the homography (3, 3) from the window's
    pixels to its, both at pixel centres.
    """
    middle = outline.mean(0)
    u, v, w = plane @ (middle[0], middle[1], 1.0)
    # how many pixels of the texture lie on one of the picture, by the homography's Jacobian at the face's middle
    jacobian = (plane[:2, :2] * w - np.outer((u, v), plane[2, :2])) / (w * w)
    ratio = max(abs(jacobian[0, 0] * jacobian[1, 1] - jacobian[0, 1] * jacobian[1, 0]), 1e-6)
    level = min(max(round(0.5 * math.log2(ratio) + 0.1), 0), 6)
    across, along = (max(1, int(n) >> level) / int(n) for n in (shape[1], shape[0]))
    scale = np.array([[across, 0, -0.5], [0, along, -0.5], [0, 0, 1]])
    centred = np.array([[1, 0, offset[0] + 0.5], [0, 1, offset[1] + 0.5], [0, 0, 1]])
    return level, scale @ plane @ centred


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
    metres = ((np.arange(size) + 0.5 - size / 2) / scale).astype(np.float32)
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
        a, b, c = (np.float32(v) for v in (-n[0] / n[2], -n[1] / n[2], n @ p[0] / n[2]))
        far = (b * metres[y0:y1])[:, None] + (a * metres[x0:x1] + c)
        window = depth[y0:y1, x0:x1]
        cv2.copyTo(far, cover & cv2.compare(far, window, cv2.CMP_LT), window)
    return depth
