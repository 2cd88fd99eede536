from __future__ import annotations

import numpy as np
from cleaning.made import moved

from deepret.cleaning.verification.affine import Affine

SETTINGS = Affine()._settings()


def test_six_numbers_and_a_last_row_that_is_none_of_them() -> None:
    transform = np.array([[0.9, -0.25, 60], [0.3, 1.2, -40], [0, 0, 1.0]])
    points = np.random.default_rng(0).uniform(0, 400, (30, 2))
    there = moved(transform, points)
    there[:5] += 200
    found, inside = Affine().estimate(points, there, SETTINGS)
    assert found is not None
    assert inside is not None
    np.testing.assert_allclose(found, transform, atol=1e-2)
    assert found[2].tolist() == [0, 0, 1]
    assert inside.tolist() == [False] * 5 + [True] * 25


def test_none_of_points_in_one_place() -> None:
    assert Affine().estimate(np.ones((9, 2)), np.ones((9, 2)), SETTINGS) == (None, None)
