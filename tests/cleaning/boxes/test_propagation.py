"""Boxes from verified pairs against the published updates, written out pair by pair."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from deepret.cleaning.boxes.propagation import Propagation, Settled, inverses, moved_boxes


class Pairs(NamedTuple):
    """A made-up class: sizes (n, 2), pairs (m, 2), maps (m, 3, 3), rectangles (m, 2, 4), inliers (m,)."""

    sizes: np.ndarray
    rows: np.ndarray
    transforms: np.ndarray
    rectangles: np.ndarray
    inliers: np.ndarray


def slow_median(points: list[np.ndarray], weights: list[float]) -> np.ndarray:
    """Weiszfeld's iteration, kept off the points by a hair."""
    x, w = np.array(points), np.array(weights)
    y = (w[:, None] * x).sum(axis=0) / w.sum()
    for _ in range(1000):
        pull = w / np.maximum(np.linalg.norm(x - y, axis=1), 1e-9)
        y = (pull[:, None] * x).sum(axis=0) / pull.sum()
    return y


def slow_moved(box: np.ndarray, transform: np.ndarray, size: np.ndarray, least: float) -> np.ndarray | None:
    """The box around the corners after the map, cut off at the border."""
    xs, ys = [], []
    for x in (box[0], box[2]):
        for y in (box[1], box[3]):
            u, v, w = transform @ np.array([x, y, 1.0])
            if w <= 0:
                return None
            xs.append(u / w)
            ys.append(v / w)
    whole = (max(xs) - min(xs)) * (max(ys) - min(ys))
    cut = [max(min(xs), 0.0), max(min(ys), 0.0), min(max(xs), size[0]), min(max(ys), size[1])]
    area = max(cut[2] - cut[0], 0.0) * max(cut[3] - cut[1], 0.0)
    return np.array(cut) if area > 0 and area >= least * whole else None


def ways(pairs: Pairs, weighted: bool) -> list[tuple[int, int, np.ndarray, np.ndarray, float]]:
    """Each pair both ways: from, to, the map, the rectangle in the image that it leads into, the weight."""
    found = []
    for (i, j), transform, (one, two), count in zip(
        pairs.rows, pairs.transforms, pairs.rectangles, pairs.inliers, strict=True
    ):
        weight = float(count) if weighted else 1.0
        found += [(i, j, transform, two, weight), (j, i, np.linalg.inv(transform), one, weight)]
    return found


def is_median(box: np.ndarray, points: list[np.ndarray], weights: list[float]) -> bool:
    """Whether the box is about as near to all points as any is: of two points each between them is a median."""
    costs = [
        sum(w * np.linalg.norm(point - y) for point, w in zip(points, weights, strict=True))
        for y in (box, slow_median(points, weights), *points)
    ]
    return bool(costs[0] <= min(costs) * 1.01 + 1e-6)


def shift(x: float, y: float, zoom: float = 1.0) -> np.ndarray:
    return np.array([[zoom, 0, x], [0, zoom, y], [0, 0, 1.0]])


def made_up(seed: int, n: int = 6) -> Pairs:
    """Images of one object at known places; rectangles lie somewhere within it; some maps are far off."""
    random = np.random.default_rng(seed)
    sizes = random.integers(300, 600, (n, 2))
    views = [
        np.array([[a, -b, x], [b, a, y], [c, d, 1.0]])
        for a, b, x, y, c, d in zip(
            random.uniform(0.7, 1.3, n),
            random.uniform(-0.2, 0.2, n),
            *random.uniform(-30, 30, (2, n)),
            *random.uniform(-2e-4, 2e-4, (2, n)),
            strict=True,
        )
    ]
    rows = np.array([(i, j) for i in range(n - 1) for j in range(i + 1, n - 1) if random.random() < 0.7] + [(0, 1)])
    transforms, rectangles = [], []
    for i, j in rows:
        transforms.append(views[j] @ np.linalg.inv(views[i]) if random.random() < 0.8 else shift(900, 0))
        low = random.uniform(60, 120, (2, 2))
        rectangles.append(np.concatenate([low, low + random.uniform(80, 160, (2, 2))], axis=1))
    return Pairs(sizes, rows, np.array(transforms), np.array(rectangles), random.integers(5, 200, len(rows)))


def run(pairs: Pairs, **options: object) -> Settled:
    return Propagation(**options).boxes(*pairs)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("alpha", "least", "weighted"), [(0.1, 0.25, True), (0.5, 0.0, False)])
def test_as_written_out(seed: int, alpha: float, least: float, weighted: bool) -> None:
    pairs = made_up(seed)
    options = {"alpha": alpha, "still": 0, "least": least, "weighted": weighted}
    rounds = [run(pairs, rounds=count, **options) for count in (1, 2, 3)]
    boxes = [rounds[0].first, *(found.last for found in rounds)]
    assert [found.rounds for found in rounds] == [1, 2, 3]
    silent = 0
    for image in range(len(pairs.sizes)):
        own = [way for way in ways(pairs, weighted) if way[1] == image]
        if not own:
            assert np.isnan([found[image] for found in boxes]).all()
            continue
        assert is_median(boxes[0][image], [way[3] for way in own], [way[4] for way in own])
        for before, after in pairwise(boxes):
            said, weights = [], []
            for i, j, transform, _, weight in own:
                moved = slow_moved(before[i], transform, pairs.sizes[j], least)
                if moved is not None:
                    said.append((1 - alpha) * before[j] + alpha * moved)
                    weights.append(weight)
            silent += len(own) - len(said)
            if said:
                assert is_median(after[image], said, weights)
            else:
                assert after[image].tolist() == before[image].tolist()
    assert silent
    assert np.nanmax(np.abs(boxes[-1] - boxes[0])) > 1


def test_the_parts_of_one_object_become_the_whole() -> None:
    """Five images, one upon the other: every pair matches on another part, and the boxes settle together."""
    n = 5
    rows = np.array([(i, j) for i in range(n) for j in range(i + 1, n)])
    offsets = np.arange(n) * 20.0
    maps = np.array([shift(offsets[j] - offsets[i], 0) for i, j in rows])
    inner = np.array([[100.0, 100, 200, 200]])
    rectangles = np.array([[inner[0] + [offsets[i], 0] * 2, inner[0] + [offsets[j], 0] * 2] for i, j in rows])
    rectangles[0, 0] += 150  # one pair is wrong about one image
    found = run(Pairs(np.full((n, 2), 500), rows, maps, rectangles, np.full(len(rows), 10)))
    expected = inner + np.stack([offsets, 0 * offsets] * 2, axis=1)
    np.testing.assert_allclose(found.first, expected, atol=1)
    np.testing.assert_allclose(found.last, expected, atol=1)


def test_a_box_that_is_off_follows_the_others() -> None:
    n = 6
    rows = np.array([(i, j) for i in range(n) for j in range(i + 1, n)])
    true, off = np.array([100.0, 100, 300, 300]), np.array([100.0, 100, 140, 140])
    rectangles = np.array([[off if i == 0 else true, true] for i, _ in rows])
    pairs = Pairs(np.full((n, 2), 400), rows, np.array([np.eye(3)] * len(rows)), rectangles, np.full(len(rows), 9))
    found = run(pairs, rounds=100, still=0)
    np.testing.assert_allclose(found.first[0], off, atol=1e-6)
    np.testing.assert_allclose(found.last, [true] * n, atol=2)


def test_boxes_stay_within_their_images() -> None:
    for seed in range(4):
        pairs = made_up(seed)
        last = run(pairs, alpha=1.0, still=0).last
        some = np.isfinite(last[:, 0])
        assert some.sum() >= 4
        assert (last[some] >= -1e-6).all()
        assert (last[some, 2:] <= pairs.sizes[some] + 1e-6).all()


def test_ends_once_boxes_are_still() -> None:
    pairs = made_up(0)
    loose, strict = run(pairs, still=0.01), run(pairs, still=1e-4)
    assert 1 <= loose.rounds < strict.rounds <= 100
    assert run(pairs, rounds=3, still=0).rounds == 3


def test_a_map_that_leads_out_of_the_image_has_no_say() -> None:
    pairs = Pairs(
        np.full((2, 2), 100), np.array([(0, 1)]), shift(90, 0)[None], np.array([[[0.0, 0, 50, 50]] * 2]), np.array([9])
    )
    found = run(pairs, rounds=1)
    assert found.last.tolist() == found.first.tolist()
    assert run(pairs, rounds=1, least=0.0).last.tolist() != found.first.tolist()


def test_no_pair_no_box() -> None:
    nothing = Pairs(
        np.full((2, 2), 100), np.zeros((0, 2), int), np.zeros((0, 3, 3)), np.zeros((0, 2, 4)), np.zeros(0, int)
    )
    found = run(nothing)
    assert np.isnan(found.first).all()
    assert np.isnan(found.last).all()


@pytest.mark.parametrize("least", [0.0, 0.25, 0.9])
def test_moved_boxes_one_by_one(least: float) -> None:
    random = np.random.default_rng(1)
    m = 300
    low = random.uniform(0, 200, (m, 2))
    boxes = np.concatenate([low, low + random.uniform(1, 200, (m, 2))], axis=1)
    maps = np.eye(3) + random.normal(size=(m, 3, 3)) * np.array([[0.5, 0.5, 150], [0.5, 0.5, 150], [2e-3, 2e-3, 0]])
    boxes[0], maps[1] = np.nan, np.nan
    sizes = random.integers(50, 400, (m, 2))
    found, usable = moved_boxes(boxes, maps, sizes, least)
    for i in range(m):
        expected = slow_moved(boxes[i], maps[i], sizes[i], least)
        assert usable[i] == (expected is not None)
        if expected is not None:
            np.testing.assert_allclose(found[i], expected)
    assert 20 < usable.sum() < m - 20


def test_inverses_and_none_of_what_has_none() -> None:
    maps = np.stack([shift(5, -7, 2.0), np.zeros((3, 3)), np.diag([1.0, 0, 1])])
    found = inverses(maps)
    np.testing.assert_allclose(found[0] @ maps[0], np.eye(3), atol=1e-12)
    assert np.isnan(found[1:]).all()
