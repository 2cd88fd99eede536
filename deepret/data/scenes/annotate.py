"""The truth about a picture: whose boxes are where, how much of each is seen, and how facades map to references."""

from __future__ import annotations

import cv2
import numpy as np

from deepret.data.scenes.building import Building
from deepret.data.scenes.camera import Camera, texture_frame
from deepret.data.scenes.canvas import Array
from deepret.data.scenes.raster import Buffers
from deepret.data.scenes.solids import Mesh

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, half-open."""


def hull_of(points: Array, camera: Camera) -> Array:
    """The convex outline (k, 1, 2) of points before the camera."""
    return np.asarray(cv2.convexHull(camera.project(points).astype(np.float32)))


def overlap(first: Array, second: Array) -> float:
    """The share of the second hull that the first covers."""
    return float(cv2.intersectConvexConvex(first, second)[0] / max(cv2.contourArea(second), 1e-6))


def homography(own: Building, camera: Camera) -> Array:
    """(3, 3) from pixels of the picture to pixels of the building's reference; both count from the border."""
    corners = own.mesh.corners[own.facade]
    texture = camera.plane(*texture_frame(corners, own.reference.shape))
    inverse = np.linalg.inv(texture)
    normalised: Array = inverse / inverse[2, 2]
    return normalised


def visible_boxes(
    street: list[tuple[str, Mesh]],
    buffers: Buffers,
    part: Array,
    masks: Array,
    camera: Camera,
    owned: bool,
    scale: float,
) -> tuple[list[str], list[Box], float]:
    """Names and boxes of the buildings of which half or more is seen, and how much is seen of the first.

    Args:
        street: names and places of the buildings.
        buffers: as drawn.
        part: (F,) which of all things each face is part of, the buildings first.
        masks: (buildings, H, W), where each is, hidden or not.
        camera: the view, of the buffers' size.
        owned: whether the first is the one that the picture is of; it is listed however little is seen.
        scale: pixels drawn along a side for each that is kept.
    """
    names: list[str] = []
    boxes: list[Box] = []
    own_share = 1.0
    padded = np.concatenate([part, [-1]]) if len(part) else np.array([-1])
    seen = np.where(buffers.face >= 0, padded[np.minimum(buffers.face, len(part))], -1)
    for number, (name, mesh) in enumerate(street):
        mask = masks[number]
        inside = int(np.count_nonzero(mask))
        if inside == 0:
            own_share = 0.0 if number == 0 and owned else own_share
            continue
        hull = hull_of(mesh.corners.reshape(-1, 3), camera).reshape(-1, 2)
        border = np.array([(0, 0), (camera.width, 0), (camera.width, camera.height), (0, camera.height)], np.float32)
        within = overlap(border, hull)
        share = np.count_nonzero((seen == number) & (mask > 0)) / inside * within
        x, y, w, h = cv2.boundingRect(mask)
        own_share = share if number == 0 and owned else own_share
        large_enough = max(w, h) >= 0.16 * max(camera.width, camera.height)
        if (share >= 0.5 and large_enough) or (number == 0 and owned):
            names.append(name)
            boxes.append(tuple(round(v / scale, 1) for v in (x, y, x + w, y + h)))  # type: ignore[arg-type]
    return names, boxes, float(own_share)
