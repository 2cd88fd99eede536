"""Cameras: projection and plane homographies against one point at a time; framing against what it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepret.data.scenes.camera import Camera, frame, look, texture_frame
from deepret.data.scenes.canvas import PPM

BOX = np.array([(x, y, z) for x in (-8.0, 8.0) for y in (0.0, 10.0) for z in (0.0, 12.0)])


def slow_pixel(camera: Camera, point: np.ndarray) -> tuple[float, float]:
    right, down, forward = (
        sum(camera.rotation[i, k] * (point[k] - camera.centre[k]) for k in range(3)) for i in range(3)
    )
    return camera.focal * right / forward + camera.cx, camera.focal * down / forward + camera.cy


def a_camera() -> Camera:
    centre = np.array([4.0, -30.0, 2.0])
    return Camera(centre, look(centre, np.array([0.0, 0, 6]), 3.0), 300.0, 140.0, 90.0, 288, 216)


def test_projects_as_point_by_point() -> None:
    camera = a_camera()
    for point, pixel in zip(BOX, camera.project(BOX), strict=True):
        assert pixel == pytest.approx(slow_pixel(camera, point))


def test_rotation_is_one_and_level_without_roll() -> None:
    rotation = look(np.array([3.0, -20, 2]), np.array([0.0, 0, 8]), 0.0)
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert rotation[0, 2] == pytest.approx(0)  # right is level
    assert rotation[1, 2] < 0  # down is down


def test_plane_homography_meets_projected_points() -> None:
    camera = a_camera()
    origin, u, v = np.array([-3.0, 1, 9]), np.array([0.5, 0.1, 0]), np.array([0, 0, -0.25])
    homography = camera.plane(origin, u, v)
    for a, b in ((0, 0), (7, 3), (2.5, 11)):
        x, y, w = homography @ (a, b, 1)
        assert (x / w, y / w) == pytest.approx(slow_pixel(camera, origin + a * u + b * v))


def test_texture_lies_on_its_face() -> None:
    corners = np.array([(-2.0, 0, 0), (2.0, 0, 0), (1.0, 0, 3), (-1.0, 0, 3)])
    origin, right, down = texture_frame(corners, (3 * PPM, 4 * PPM))
    assert origin == pytest.approx((-2, 0, 3))
    assert origin + 4 * PPM * right + 3 * PPM * down == pytest.approx(corners[1])


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-45, 45),
    st.floats(0, 25),
    st.floats(1.1, 2.6),
    st.floats(0.3, 0.9),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([(288, 216), (192, 288), (288, 288)]),
)
def test_frames_as_asked(
    azimuth: float, elevation: float, distance: float, share: float, left: float, top: float, size: tuple[int, int]
) -> None:
    camera = frame(BOX, azimuth, elevation, distance, share, (left, top), 1.0, size)
    pixels = camera.project(BOX)
    wide, high = np.ptp(pixels, axis=0)
    assert max(wide, high) <= share * max(size) * 1.0001
    fits = share * max(size) * np.array([wide, high]) / max(wide, high) <= np.array(size) * 1.06
    if fits.all():
        assert max(wide, high) == pytest.approx(share * max(size))
    assert pixels[:, 0].min() == pytest.approx(left * (size[0] - wide), abs=1e-6)
    assert pixels[:, 1].min() == pytest.approx(top * (size[1] - high), abs=1e-6)
    assert camera.seen(BOX)[:, 2].min() > 0
