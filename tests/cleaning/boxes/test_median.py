"""The geometric median against a general minimiser, and where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from deepret.cleaning.boxes.median import geometric_medians, means


def cost(y: np.ndarray, points: np.ndarray, weights: np.ndarray) -> float:
    return sum(w * float(np.linalg.norm(point - y)) for point, w in zip(points, weights, strict=True))


def slow_cost(points: np.ndarray, weights: np.ndarray) -> float:
    """The least cost: of a minimiser without gradients from several starts, and of each point itself."""
    starts = [points.mean(axis=0), np.median(points, axis=0)]
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000, "maxfev": 4000}
    found = [minimize(cost, s, (points, weights), method="Nelder-Mead", options=options).fun for s in starts]
    return float(min([*found, *(cost(point, points, weights) for point in points)]))


def median_of(points: np.ndarray, weights: np.ndarray | None = None, start: np.ndarray | None = None) -> np.ndarray:
    points = np.asarray(points, float)
    begin = points.mean(axis=0) if start is None else start
    return geometric_medians(points, np.zeros(len(points), np.int64), begin[None], weights)[0]


@pytest.mark.parametrize("seed", range(8))
def test_costs_as_little_as_a_minimiser_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    points, weights = random.normal(size=(3 + seed, 2)) * 100, random.uniform(0.2, 3, 3 + seed)
    assert cost(median_of(points, weights), points, weights) <= slow_cost(points, weights) * (1 + 1e-6)


coordinates = st.integers(-50, 50)


@settings(max_examples=60)
@given(st.data(), st.integers(1, 7), st.integers(1, 3))
def test_no_small_step_makes_it_better(data: st.DataObject, count: int, dimensions: int) -> None:
    rows = st.lists(coordinates, min_size=dimensions, max_size=dimensions)
    points = np.array(data.draw(st.lists(rows, min_size=count, max_size=count)), float)
    weights = np.array(data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0, 9.0]), min_size=count, max_size=count)))
    found = median_of(points, weights)
    here, length = cost(found, points, weights), max(np.ptp(points), 1.0)
    others = list(points)
    for axis in np.eye(dimensions):
        others += [found + sign * step * length * axis for sign in (-1, 1) for step in (0.1, 0.01)]
    # Along points that lie nearly on a line the cost is flat, and the iteration slow.
    assert here <= min(cost(other, points, weights) for other in others) * 1.001 + 1e-4 * length * weights.sum()


def test_groups_do_not_know_of_each_other() -> None:
    random = np.random.default_rng(0)
    points, weights = random.normal(size=(40, 4)), random.uniform(0.5, 2, 40)
    groups = random.integers(0, 6, 40)
    start = means(points, groups, 6, weights)
    found = geometric_medians(points, groups, start, weights)
    for group in range(6):
        own = groups == group
        alone = median_of(points[own], weights[own], start[group])
        np.testing.assert_allclose(found[group], alone, atol=1e-6)


def test_it_may_be_one_of_the_points() -> None:
    points = [[0, 0], [10, 0], [0, 10], [1, 1]]  # the last lies within the others' triangle, at an obtuse corner
    np.testing.assert_allclose(median_of(points), [1, 1], atol=1e-3)
    np.testing.assert_allclose(median_of(points, start=np.array([10.0, 0])), [1, 1], atol=1e-3)  # leaves a point
    np.testing.assert_allclose(median_of(points, start=np.array([1.0, 1])), [1, 1], atol=1e-12)  # stays at it
    cross = [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]
    assert median_of(cross).tolist() == [0, 0]


def test_one_point_and_equal_points_are_their_own_median() -> None:
    np.testing.assert_allclose(median_of([[3, 4, 5, 6]], start=np.full(4, 100.0)), [3, 4, 5, 6], atol=1e-9)
    np.testing.assert_allclose(median_of([[3.1, 4.7]] * 7, np.arange(1.0, 8)), [3.1, 4.7], atol=1e-9)


def test_on_a_line_it_is_the_middle_one() -> None:
    np.testing.assert_allclose(median_of([[0, 0], [1, 1], [100, 100]]), [1, 1], atol=1e-3)


def test_a_heavy_point_draws_it_all_the_way() -> None:
    points = [[0, 0], [10, 0], [0, 10]]
    np.testing.assert_allclose(median_of(points, np.array([1.0, 5.0, 1.0])), [10, 0], atol=1e-3)
    again = median_of([*points, points[1]])
    np.testing.assert_allclose(median_of(points, np.array([1.0, 2.0, 1.0])), again, atol=1e-5)


def test_a_far_outlier_hardly_moves_it() -> None:
    square = [[0, 0], [10, 0], [0, 10], [10, 10], [5, 4]]
    near, far = median_of([*square, [1e3, 0]]), median_of([*square, [1e6, 0]])
    assert np.abs(near - far).max() < 0.05
    assert np.abs(near - 5).max() < 3


def test_a_group_without_points_stays_where_it_is() -> None:
    start = np.array([[0.0, 0], [7, 8], [np.nan, np.nan]])
    found = geometric_medians(np.array([[1.0, 1], [3, 3]]), np.array([0, 0]), start)
    assert found[1].tolist() == [7, 8]
    assert np.isnan(found[2]).all()
    np.testing.assert_allclose(found[0, 0], found[0, 1])


def test_means_are_weighted_and_none_where_nothing_is() -> None:
    found = means(np.array([[0.0, 0], [4, 8], [1, 1]]), np.array([0, 0, 2]), 3, np.array([3.0, 1.0, 5.0]))
    assert found[0].tolist() == [1, 2]
    assert np.isnan(found[1]).all()
    assert found[2].tolist() == [1, 1]
