"""One picture: a building in its street, with neighbours, clutter and weather, and the truth about all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from deepret.data.scenes.annotate import Box, homography, hull_of, overlap, visible_boxes
from deepret.data.scenes.building import Building
from deepret.data.scenes.camera import Camera, frame
from deepret.data.scenes.canvas import Array
from deepret.data.scenes.clutter import Amount, draw_amount, scatter
from deepret.data.scenes.ground import Ground, draw_ground
from deepret.data.scenes.lens import develop
from deepret.data.scenes.light import draw_light, shade, sides
from deepret.data.scenes.raster import Buffers, draw
from deepret.data.scenes.sky import draw_sky
from deepret.data.scenes.solids import Mesh, join
from deepret.data.scenes.weather import air, draw_weather, fall, settle

SUPER = 1.5
"""Pixels drawn along a side for each that is kept."""
_ASPECTS = ((4, 3), (4, 3), (3, 4), (3, 4), (1, 1), (3, 2), (2, 3), (16, 10))


@dataclass(frozen=True)
class Shot:
    """A picture and the truth about it.

    Args:
        image: (h, w, 3) uint8.
        names: of the buildings that can be seen for the most part, the own first if it is among them.
        boxes: theirs, x0, y0, x1, y1 in pixels, half-open.
        homography: (3, 3) from the picture's pixels to those of the own building's reference, or None without one.
        azimuth: degrees from the front's normal.
        elevation: degrees above the horizon.
        visible: share of the own building that is seen.
        camera: the view.
    """

    image: Array
    names: list[str]
    boxes: list[Box]
    homography: Array | None
    azimuth: float
    elevation: float
    visible: float
    camera: Camera


def take(
    own: Building | None, neighbour: Callable[[int], Building], pool: int, size: int, rng: np.random.Generator
) -> Shot:
    """Takes a picture of a building, or of a place without any.

    Args:
        own: what it shows.
        neighbour: gives building 0 … pool − 1 of those that stand around.
        pool: how many there are.
        size: the picture's larger side in pixels.
        rng: for everything else.
    """
    a, b = _ASPECTS[int(rng.integers(len(_ASPECTS)))]
    shape = (2 * round(size * a / max(a, b) / 2), 2 * round(size * b / max(a, b) / 2))  # even: SUPER times it is whole
    clutter = draw_amount(rng).times(1.0 if own else 2.5)
    azimuth = float(np.clip(rng.normal(0, 16), -36, 36))
    elevation = float(rng.choice([rng.uniform(-2, 4), rng.uniform(0, 14), rng.uniform(8, 16)], p=(0.5, 0.38, 0.12)))
    view = dict(
        azimuth=azimuth,
        elevation=elevation,
        distance=float(rng.uniform(1.1, 2.6)),
        share=float(rng.uniform(0.50, 0.98)),
        place=(float(rng.uniform(-0.03, 1.03)), float(np.clip(rng.normal(0.62, 0.3), -0.02, 1.04))),
        roll=float(rng.normal(0, 1.8)),
        size=shape,
    )
    corners = own.corners if own else np.array([(x, y, z) for x in (-12, 12) for y in (0, 10) for z in (0, 14)], float)
    camera = frame(corners, **view)  # type: ignore[arg-type]
    street = _street(own, neighbour, pool, camera, rng)
    state = rng.bit_generator.state
    for thinner, least in ((1.0, 0.8), (0.4, 0.8), (0.0, 0.0)):  # clutter must not hide what the picture is of
        rng.bit_generator.state = state
        shot = _render(own, street, camera, clutter.times(thinner), azimuth, elevation, least, rng)
        if shot is not None:
            return shot
    raise AssertionError("a picture without clutter is taken however little is seen")


def _street(
    own: Building | None, neighbour: Callable[[int], Building], pool: int, camera: Camera, rng: np.random.Generator
) -> list[tuple[str, Mesh]]:
    """The own building, then others beside and behind it, none of which hides it."""
    placed = [(own.name, own.mesh)] if own else []
    low, high = own.reach if own else (np.array([-10.0, 0, 0]), np.array([10.0, 10, 10]))
    hulls = [hull_of(own.corners, camera)] if own else []
    if own is None and rng.random() < 0.35:
        return placed  # a park
    edge = {-1: low[0], 1: high[0]}
    taken: set[int] = set()
    for slot in ("left", "right", "left", "right", "behind", "behind"):
        if rng.random() > {"left": 0.78, "right": 0.78, "behind": 0.4}[slot]:
            continue
        other = neighbour(int(rng.integers(pool)))
        if id(other) in taken:
            continue
        taken.add(id(other))
        turn = float(rng.choice([0, 0, 0, 90, -90]) + rng.normal(0, 5))
        mesh = other.mesh.placed(turn, 0, 0)
        least, most = mesh.corners.reshape(-1, 3).min(0), mesh.corners.reshape(-1, 3).max(0)
        if slot == "behind":
            x, y = rng.uniform(low[0] - 25, high[0] + 25), high[1] + rng.uniform(8, 45) - least[1]
        else:
            way = -1 if slot == "left" else 1
            gap = rng.uniform(0.5, 9)
            x = edge[way] + way * gap - (least[0] if way > 0 else most[0])
            y = rng.uniform(-1.5, 7) - least[1]
            edge[way] = x + (most[0] if way > 0 else least[0])
        mesh = other.mesh.placed(turn, x, y)
        points = mesh.corners.reshape(-1, 3)
        if (camera.seen(points)[:, 2] < 2).any():
            continue
        hull = hull_of(points, camera)
        if slot != "behind" and hulls and overlap(hull, hulls[0]) > 0.12:
            continue
        hulls.append(hull)
        placed.append((other.name, mesh))
    return placed


def _render(
    own: Building | None,
    street: list[tuple[str, Mesh]],
    camera: Camera,
    amount: Amount,
    azimuth: float,
    elevation: float,
    least: float,
    rng: np.random.Generator,
) -> Shot | None:
    """Draws the picture; None, before the slow part, where less than ``least`` of the own building is seen."""
    light, weather = draw_light(rng), draw_weather(rng)
    ground: Ground = ("square", "street", "lawn", "cobble")[int(rng.integers(4))]
    large = camera.scaled(SUPER)
    reaches = [(m.corners.reshape(-1, 3).min(0), m.corners.reshape(-1, 3).max(0)) for _, m in street]
    things, shadows = scatter(camera, amount, reaches, light.direction, rng)
    mesh, part = join([*(m for _, m in street), *things]) if street or things else (None, np.zeros(0, int))
    buffers = Buffers(large.width, large.height)
    masks = np.zeros((len(street), large.height, large.width), np.uint8)
    picture = cv2.resize(draw_sky(camera, light, rng), (large.width, large.height), interpolation=cv2.INTER_LINEAR)
    if mesh is None:
        mesh = Mesh(np.zeros((0, 4, 3)), np.zeros(0, int), [])
    count = len(mesh.skin)
    draw_ground(buffers, large, count, ground, rng)
    if count:
        draw(buffers, mesh, large, sides(mesh, light), np.where(part < len(street), part, -1), masks)
    names, boxes, visible = visible_boxes(street, buffers, part, masks, large, bool(own), SUPER)
    if visible < least:
        return None
    settle(buffers, mesh, weather, rng)
    meshes = [*(m for _, m in street), *shadows]
    casters = join(meshes)[0] if meshes else mesh
    low, high = reaches[0] if own else (np.array([-25.0, -25, 0]), np.array([25.0, 25, 14]))
    middle, reach = (low + high) / 2, float(np.linalg.norm(high - low) / 2 + 14)
    lit = shade(buffers, mesh, large, light, casters, middle, reach)
    drawn = buffers.face >= 0
    picture[drawn] = lit[drawn]
    air(picture, buffers.near, light, weather)
    fall(picture, weather, light, rng)
    image = develop(picture, light, (camera.width, camera.height), rng)
    return Shot(image, names, boxes, homography(own, camera) if own else None, azimuth, elevation, visible, camera)
