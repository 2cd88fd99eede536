from __future__ import annotations

import numpy as np
from cleaning.made import moved

from deepret.cleaning.verification.homography import Homography

SETTINGS = Homography()._settings()


def test_eight_numbers_and_a_last_that_is_one() -> None:
    transform = np.array([[1.1, 0.2, 10], [-0.1, 0.9, 50], [4e-4, -3e-4, 1.0]])
    points = np.random.default_rng(0).uniform(0, 400, (40, 2))
    there = moved(transform, points)
    there[:5] += 200
    found, inside = Homography().estimate(points, there, SETTINGS)
    assert found is not None
    assert inside is not None
    assert found[2, 2] == 1
    np.testing.assert_allclose(moved(found, points), moved(transform, points), atol=0.5)
    assert inside.tolist() == [False] * 5 + [True] * 35


def test_none_of_points_in_one_place() -> None:
    assert Homography().estimate(np.ones((9, 2)), np.ones((9, 2)), SETTINGS) == (None, None)
