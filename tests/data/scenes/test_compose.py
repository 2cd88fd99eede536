"""Pictures and their truth: boxes around projected corners, homographies onto references, matches between views."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from deepret.cleaning.features.base import Features
from deepret.data.scenes.building import Building, make_building
from deepret.data.scenes.camera import texture_frame
from deepret.data.scenes.canvas import stream
from deepret.data.scenes.compose import Shot, take
from deepret.data.scenes.raster import normals
from deepret.reports.scene_matches import affine_inliers, features

CLASSES, VIEWS, SIZE = 6, 8, 288


@cache
def building(number: int) -> Building:
    return make_building(3, "test", number, 3, "test")


@cache
def street(number: int) -> Building:
    return make_building(3, "test_street", number, 3, "test")


@cache
def shot(number: int, view: int) -> Shot:
    return take(building(number), street, 3, SIZE, stream(3, "picture", number, view))


@cache
def keypoints(number: int, view: int) -> Features:
    return features(cv2.cvtColor(shot(number, view).image, cv2.COLOR_RGB2GRAY))


ALL = [(c, v) for c in range(CLASSES) for v in range(VIEWS)]


@pytest.mark.parametrize(("number", "view"), ALL)
def test_own_box_surrounds_its_projected_corners(number: int, view: int) -> None:
    taken, own = shot(number, view), building(number)
    camera, mesh = taken.camera, own.mesh
    facing = ((camera.centre - mesh.corners[:, 0]) * normals(mesh.corners)).sum(1) > 1e-6
    pixels = camera.project(mesh.corners[facing].reshape(-1, 3))
    wanted = np.concatenate([pixels.min(0), pixels.max(0)]).clip(0, [camera.width, camera.height] * 2)
    assert taken.names[0] == own.name
    assert taken.boxes[0] == pytest.approx(wanted, abs=1.5)


@pytest.mark.parametrize(("number", "view"), ALL)
def test_boxes_lie_in_the_picture(number: int, view: int) -> None:
    taken = shot(number, view)
    height, width = taken.image.shape[:2]
    assert max(height, width) == SIZE
    for x0, y0, x1, y1 in taken.boxes:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert max(x1 - x0, y1 - y0) > 0.15 * SIZE
    assert taken.visible > 0.45


@pytest.mark.parametrize("size", [48, 49, 50, 63, 75, 97])
def test_boxes_lie_in_pictures_of_any_size(size: int) -> None:
    """Pictures are drawn larger than they are kept, and a box that reaches the border ends exactly there."""
    at_the_border = 0
    for view in range(12):
        taken = take(building(view % CLASSES), street, 3, size, stream(size, view))
        height, width = taken.image.shape[:2]
        for x0, y0, x1, y1 in taken.boxes:
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            at_the_border += x0 == 0 or y0 == 0 or x1 == width or y1 == height
    assert at_the_border


@pytest.mark.parametrize(("number", "view"), ALL)
def test_homography_leads_to_the_reference(number: int, view: int) -> None:
    taken, own = shot(number, view), building(number)
    origin, right, down = texture_frame(own.mesh.corners[own.facade], own.reference.shape)
    for a, b in ((0, 0), (17, 40), (own.reference.shape[1], own.reference.shape[0])):
        x, y = taken.camera.project(origin + a * right + b * down)
        u, v, w = taken.homography @ (x, y, 1)
        assert (u / w, v / w) == pytest.approx((a, b), abs=1e-3)


def test_homography_lays_the_picture_on_the_reference() -> None:
    found = []
    for number, view in ALL:
        taken, own = shot(number, view), building(number)
        height, width = own.reference.shape[:2]
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        at_centres = np.linalg.inv(half) @ taken.homography @ half
        laid = cv2.warpPerspective(taken.image, at_centres, (width, height))
        inside = cv2.warpPerspective(np.full(taken.image.shape[:2], 255, np.uint8), at_centres, (width, height)) > 250
        a, b = (cv2.GaussianBlur(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY), (0, 0), 3)[inside] for i in (laid, own.reference))
        found.append(np.corrcoef(a, b)[0, 1])
    assert np.median(found) > 0.5


@pytest.mark.slow
def test_views_within_40_degrees_match() -> None:
    near, other = [], []
    for number in range(CLASSES):
        for i in range(VIEWS):
            for j in range(i):
                if abs(shot(number, i).azimuth - shot(number, j).azimuth) <= 40:
                    near.append(affine_inliers(keypoints(number, i), keypoints(number, j)))
        other.append(affine_inliers(keypoints(number, 0), keypoints((number + 1) % CLASSES, 0)))
    assert np.median(near) >= 30
    assert np.mean(np.array(near) >= 30) > 0.9
    assert max(other) < 20


def test_a_street_without_any_building_of_its_own() -> None:
    taken = take(None, street, 3, 96, stream(3, "park", 0))
    assert taken.homography is None
    assert taken.image.dtype == np.uint8


def test_same_seed_same_picture() -> None:
    first, again, other = (take(building(0), street, 3, 96, stream(s)) for s in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert first.boxes == again.boxes
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


def test_pictures_are_pictures() -> None:
    for number, view in ALL:
        image = shot(number, view).image
        assert image.std() > 15
        assert 15 < image.mean() < 240
