"""Verification: made-up points moved by a known map and lost among others, and what no camera makes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cleaning.made import descriptors, features, moved, seen_twice

from deepret.cleaning.features.base import Features
from deepret.cleaning.verification.affine import Affine
from deepret.cleaning.verification.base import Match, Verification, around, cells, sound
from deepret.cleaning.verification.homography import Homography

AFFINE = np.array([[0.9, -0.25, 60], [0.3, 1.2, -40], [0, 0, 1.0]])
PLANE = np.array([[1.1, 0.2, 10], [-0.1, 0.9, 50], [4e-4, -3e-4, 1.0]])
BOTH = pytest.mark.parametrize("verify", [Affine(), Homography()], ids=["affine", "homography"])
MAPS = pytest.mark.parametrize(
    ("verify", "transform"), [(Affine(), AFFINE), (Homography(), AFFINE), (Homography(), PLANE)]
)


def told(match: Match | None) -> object:
    return match and (match.tentative, match.inliers, match.cells, match.transform.tolist(), match.boxes)


@MAPS
@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.5, 2.0), (1.6, 0.7)])
def test_finds_the_map_between_pixels_of_the_photographs(
    verify: Verification, transform: np.ndarray, scales: tuple[float, float]
) -> None:
    first, second = seen_twice(transform, scales=scales)
    match = verify(first, second)
    assert match is not None
    assert match.tentative == 140
    assert 90 <= match.inliers <= 115
    places = np.random.default_rng(1).uniform(50, 450, (50, 2))
    off = np.linalg.norm(moved(match.transform, places) - moved(transform, places), axis=1)
    assert off.max() < 4
    true = first.points[:100] / scales[0]
    for box, points in zip(match.boxes, (true, moved(transform, true)), strict=True):
        np.testing.assert_allclose(box, around(points), atol=25)
    assert match.cells >= 30


@MAPS
def test_the_way_back_is_the_inverse(verify: Verification, transform: np.ndarray) -> None:
    first, second = seen_twice(transform)
    there, back = verify(first, second), verify(second, first)
    assert there is not None
    assert back is not None
    places = np.random.default_rng(1).uniform(50, 450, (50, 2))
    np.testing.assert_allclose(moved(back.transform, moved(there.transform, places)), places, atol=4)
    assert abs(there.inliers - back.inliers) <= 8


@BOTH
def test_the_same_whatever_was_verified_before_and_in_threads(verify: Verification) -> None:
    pairs = [seen_twice(AFFINE, count=30, outliers=60, seed=seed) for seed in range(12)]
    alone = [told(verify(*pair)) for pair in pairs]
    assert sum(one is not None for one in alone) >= 10
    assert [told(verify(*pair)) for pair in reversed(pairs)] == alone[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda pair: told(verify(*pair)), pairs * 3)) == alone * 3


NOWHERE = {
    "mirror": lambda p: p * [-1, 1] + [500, 0],
    "on one line": lambda p: np.stack([p[:, 0], 2 * p[:, 0]], axis=1),
    "all in one place": lambda p: np.full_like(p, 7.0),
    "no number": lambda p: np.full_like(p, np.nan),
    "endless": lambda p: np.full_like(p, np.inf),
    "stretched": lambda p: p * [8, 1],
    "enlarged": lambda p: p * 14,
    "shrunk": lambda p: p / 14,
}


@BOTH
@pytest.mark.parametrize("change", NOWHERE)
@pytest.mark.parametrize("backwards", [False, True])
def test_none_where_no_camera_stands(verify: Verification, change: str, backwards: bool) -> None:
    points = np.random.default_rng(0).uniform(0, 500, (60, 2))
    pair = features(points, descriptors(60)), features(NOWHERE[change](points), descriptors(60))
    if change == "shrunk" and not backwards:
        verify = type(verify)(tolerance=1.0)  # otherwise all is within it
    if change == "enlarged" and backwards:
        verify = type(verify)(tolerance=1.0)
    assert verify(*(reversed(pair) if backwards else pair)) is None


@BOTH
def test_points_on_one_line_in_both(verify: Verification) -> None:
    points = np.stack([np.linspace(0, 400, 50)] * 2, axis=1)
    assert verify(features(points, descriptors(50)), features(points + 5, descriptors(50))) is None


@BOTH
def test_as_many_matches_as_determine_a_map_are_too_few(verify: Verification) -> None:
    points = np.array([[0.0, 0], [300, 20], [50, 280], [310, 290], [150, 100], [220, 60]])
    for count in range(len(points) + 1):
        same = features(points[:count], descriptors(count))
        match = verify(same, same)
        assert (match is None) == (count < verify.least)
        if match is not None:
            assert match.inliers == count


@BOTH
def test_a_place_counts_once(verify: Verification) -> None:
    """Blobs of several directions: many matches, few places."""
    points = np.repeat(np.array([[0.0, 0], [300, 20], [50, 280], [310, 290], [150, 100]]), 6, axis=0)
    same = features(points, descriptors(30))
    match = verify(same, same)
    assert match is not None
    assert (match.tentative, match.inliers) == (30, 5)
    few = points[: 6 * (verify.least - 1)]
    assert verify(features(few, descriptors(len(few))), features(few, descriptors(len(few)))) is None


@BOTH
def test_nothing_in_common(verify: Verification) -> None:
    points = np.random.default_rng(0).uniform(0, 500, (80, 2))
    other = np.random.default_rng(1).uniform(0, 500, (80, 2))
    empty = features(np.zeros((0, 2)), np.zeros((0, 128), np.uint8))
    assert verify(features(points, descriptors(80)), features(points, descriptors(80, 1))) is None
    assert verify(empty, features(points, descriptors(80))) is None
    assert verify(features(points, descriptors(80)), empty) is None
    match = verify(features(points, descriptors(80)), features(other, descriptors(80)))
    assert match is None or match.inliers < 12


def test_only_a_homography_follows_a_plane_seen_from_the_side() -> None:
    steep = np.array([[1.0, 0, 0], [0, 1.0, 0], [3e-3, 0, 1.0]])
    first, second = seen_twice(steep, outliers=0)
    plane, affine = Homography(tolerance=4.0)(first, second), Affine(tolerance=4.0)(first, second)
    assert plane is not None
    assert plane.inliers > 95
    assert affine is None or affine.inliers < 0.8 * plane.inliers


def test_tolerance_is_how_far_an_inlier_may_be_off() -> None:
    first, second = seen_twice(AFFINE, outliers=0, noise=5.0)
    strict, loose = Affine(tolerance=3.0)(first, second), Affine(tolerance=25.0)(first, second)
    assert strict is not None
    assert loose is not None
    assert strict.inliers < 60
    assert loose.inliers > 95


@pytest.mark.parametrize(("stretch", "zoom", "expected"), [(6, 12, True), (1.9, 12, False), (6, 1.3, False)])
def test_sound_by_singular_values(stretch: float, zoom: float, expected: bool) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (20, 2))
    turn = np.array([[0.8, -0.6, 5], [0.6, 0.8, 9], [0, 0, 1.0]])
    assert sound(turn @ np.diag([2.0, 1, 1]) @ turn, points, stretch, zoom) is expected  # σ = 2, 1; √2 larger


def test_sound_measures_a_homography_where_its_points_are() -> None:
    """By differences of points beside their mean."""
    random = np.random.default_rng(0)
    for _ in range(200):
        transform = np.eye(3) + random.normal(size=(3, 3)) * [[0.6, 0.6, 30], [0.6, 0.6, 30], [3e-3, 3e-3, 0]]
        points = random.uniform(0, 300, (20, 2))
        w = points @ transform[2, :2] + transform[2, 2]
        mean, h = points.mean(axis=0), 1e-4
        beside = moved(transform, mean + h * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
        jacobian = np.stack([beside[0] - beside[1], beside[2] - beside[3]], axis=1) / (2 * h)
        large, small = np.linalg.svd(jacobian, compute_uv=False)
        expected = (
            w.min() > 0 and np.linalg.det(jacobian) > 0 and large <= 3 * small and 0.5 <= (large * small) ** 0.5 <= 2
        )
        assert sound(transform, points, 3.0, 2.0) == expected


def test_cells_as_a_loop_counts_them() -> None:
    random = np.random.default_rng(0)
    for count in (1, 5, 60):
        extent = random.uniform(-50, 300, (200, 2))
        points = extent[random.choice(200, count, replace=False)]
        (x0, y0), (x1, y1) = extent.min(axis=0), extent.max(axis=0)
        seen = set()
        for x, y in points:
            column = min(int((x - x0) / ((x1 - x0) / 8)), 7)
            row = min(int((y - y0) / ((y1 - y0) / 8)), 7)
            seen.add((column, row))
        assert cells(points, extent) == len(seen)
    assert cells(np.full((4, 2), 3.0), np.full((9, 2), 3.0)) == 1
    corners = np.array([[0.0, 0], [0, 8], [8, 0], [8, 8]])
    assert cells(corners, corners) == 4


def test_around() -> None:
    assert around(np.array([[3.0, 9], [5, 1], [4, 4]])) == (3, 1, 5, 9)


def test_cells_are_the_smaller_of_both_photographs() -> None:
    """All inliers of the first are where its features are; in the second they are in a corner of them."""
    first, _ = seen_twice(np.eye(3), outliers=0)
    random = np.random.default_rng(5)
    far = features(random.uniform(0, 3000, (500, 2)), descriptors(500, 9))
    second = Features(
        np.concatenate([first.points, far.points]), np.concatenate([first.descriptors, far.descriptors]), 1.0
    )
    match = Affine()(first, second)
    assert match is not None
    assert match.cells <= 9
