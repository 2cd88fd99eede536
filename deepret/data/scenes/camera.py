"""A pinhole camera, and how it is placed to frame a building."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepret.data.scenes.canvas import PPM, Array


@dataclass(frozen=True)
class Camera:
    """A camera at ``centre`` (3,) that looks along ``rotation``'s last row.

    ``rotation`` (3, 3) has the rows right, down, forward. ``focal`` and the principal point ``cx``, ``cy`` are in
    pixels; pixel (i, j) covers [j, j + 1) × [i, i + 1), so the picture's border lies at 0 and at its size.
    """

    centre: Array
    rotation: Array
    focal: float
    cx: float
    cy: float
    width: int
    height: int

    @property
    def matrix(self) -> Array:
        """K (3, 3)."""
        return np.array([[self.focal, 0, self.cx], [0, self.focal, self.cy], [0, 0, 1.0]])

    def seen(self, points: Array) -> Array:
        """World (…, 3) → camera coordinates (…, 3): right, down, forward, in metres."""
        return (points - self.centre) @ self.rotation.T

    def project(self, points: Array) -> Array:
        """World (…, 3) → pixels (…, 2); meaningful for points before the camera."""
        p = self.seen(points)
        pixels: Array = p[..., :2] / p[..., 2:] * self.focal + (self.cx, self.cy)
        return pixels

    def scaled(self, factor: float) -> Camera:
        """The same view with ``factor`` times as many pixels along each side."""
        return replace(
            self,
            focal=self.focal * factor,
            cx=self.cx * factor,
            cy=self.cy * factor,
            width=round(self.width * factor),
            height=round(self.height * factor),
        )

    def plane(self, origin: Array, u: Array, v: Array) -> Array:
        """The homography (3, 3) of a plane's coordinates (a, b, 1), the point origin + a u + b v, to pixels."""
        homography: Array = self.matrix @ self.rotation @ np.stack([u, v, origin - self.centre], axis=1)
        return homography


def texture_frame(corners: Array, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Where texture pixels lie in space: (origin, step right, step down), each (3,), for a face's corners (4, 3).

    The texture's lower edge has its middle on that of the face, at ``PPM`` pixels a metre.
    """
    low, high = (corners[0] + corners[1]) / 2, (corners[2] + corners[3]) / 2
    right = (corners[1] - corners[0]) / (np.linalg.norm(corners[1] - corners[0]) * PPM)
    down = (low - high) / (np.linalg.norm(low - high) * PPM)
    return low - right * shape[1] / 2 - down * shape[0], right, down


def look(centre: Array, target: Array, roll: float) -> Array:
    """The rotation of a camera at ``centre`` that looks at ``target``, rolled by ``roll`` degrees."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    return np.stack([c * right + s * down, c * down - s * right, forward])


def frame(
    corners: Array,
    azimuth: float,
    elevation: float,
    distance: float,
    share: float,
    place: tuple[float, float],
    roll: float,
    size: tuple[int, int],
) -> Camera:
    """A camera that shows a building at a wanted size and place.

    Args:
        corners: (n, 3) of the building.
        azimuth: degrees from its front's normal, positive to the right.
        elevation: degrees above the horizon, seen from the building's middle.
        distance: in lengths of the building.
        share: the larger side of its box, as a share of the picture's larger side.
        place: 0 to 1 along the room that the box has, each way; below 0 and above 1 it is cut off.
        roll: degrees.
        size: width, height in pixels.
    """
    low, high = corners.min(0), corners.max(0)
    middle = (low + high) / 2
    length = float(np.max(high - low))
    a, e = np.radians(azimuth), np.radians(elevation)
    out = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    centre = middle + out * distance * length
    centre[2] = max(centre[2], 1.6)
    # people hold the camera more level than straight at the middle of what they take
    target = middle * (1, 1, 0.55) + (0, 0, 0.45 * min(centre[2], middle[2]))
    width, height = size
    unit = Camera(centre, look(centre, target, roll), 1.0, 0.0, 0.0, width, height)
    points = unit.project(corners)
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    focal = float(min(share * max(size) / max(x1 - x0, y1 - y0), 1.06 * width / (x1 - x0), 1.06 * height / (y1 - y0)))
    free = width - focal * (x1 - x0), height - focal * (y1 - y0)
    cx, cy = float(place[0] * free[0] - focal * x0), float(place[1] * free[1] - focal * y0)
    return replace(unit, focal=focal, cx=cx, cy=cy)
