from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from deepret.reports.cleaning.layout import RADIUS, WIDTH, layout

GRAPHS = {
    "nothing": (0, []),
    "alone": (1, []),
    "two": (2, [(0, 1)]),
    "row": (30, []),
    "star": (40, [(0, i) for i in range(1, 40)]),
    "all": (60, list(combinations(range(60), 2))),
    "path": (60, [(i, i + 1) for i in range(59)]),
    "pairs": (60, [(i, i + 1) for i in range(0, 60, 2)]),
    "mixed": (60, [*combinations(range(20), 2), *combinations(range(20, 32), 2), (40, 41), (42, 43)]),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_nodes_do_not_overlap_and_are_within_the_drawing(name: str) -> None:
    count, edges = GRAPHS[name]
    places, width, height = layout(count, edges)
    assert places.shape == (count, 2)
    assert width <= WIDTH
    for a, b in combinations(range(count), 2):
        assert np.linalg.norm(places[a] - places[b]) > 2 * RADIUS + 2
    if count:
        assert (places >= RADIUS).all()
        assert (places <= np.array([width, height]) - RADIUS).all()


def test_nodes_without_edges_stand_below_the_others() -> None:
    places, _, _ = layout(10, [(0, 5), (5, 7), (2, 3)])
    linked, alone = [0, 2, 3, 5, 7], [1, 4, 6, 8, 9]
    assert places[alone][:, 1].min() > places[linked][:, 1].max() + RADIUS
    assert len(set(places[alone][:, 1].tolist())) == 1


def test_components_stand_apart() -> None:
    places, _, _ = layout(12, [*combinations(range(6), 2), *combinations(range(6, 12), 2)])
    assert places[:6, 0].max() + 2 * RADIUS < places[6:, 0].min()


def test_a_layout_is_the_same_again() -> None:
    count, edges = GRAPHS["mixed"]
    assert np.array_equal(layout(count, edges)[0], layout(count, edges)[0])
