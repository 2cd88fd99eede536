"""Every kind of building: sound geometry, and looks that depend on their seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from deepret.data.scenes.archetypes import ARCHETYPES
from deepret.data.scenes.building import Building, kind_of, make_building
from deepret.data.scenes.raster import normals

KINDS = sorted(ARCHETYPES)


@pytest.fixture(scope="module")
def buildings() -> dict[str, Building]:
    made = [make_building(5, "train", i, 3, "train") for i in range(len(ARCHETYPES))]
    return {b.archetype: b for b in made}


def test_a_group_has_every_kind(buildings: dict[str, Building]) -> None:
    assert sorted(buildings) == KINDS
    assert kind_of(5, "train", 0) == kind_of(5, "train", len(KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_faces_are_flat_symmetric_trapezoids(buildings: dict[str, Building], kind: str) -> None:
    corners = buildings[kind].mesh.corners
    normal = normals(corners)
    for corner in range(4):
        off = ((corners[:, corner] - corners[:, 0]) * normal).sum(1)
        assert np.abs(off).max() < 1e-6
    rise = (corners[:, 2] + corners[:, 3] - corners[:, 0] - corners[:, 1]) / 2
    assert np.abs((rise * (corners[:, 1] - corners[:, 0])).sum(1)).max() < 1e-6  # its axis is upright on its foot


@pytest.mark.parametrize("kind", KINDS)
def test_stands_on_the_ground_and_looks_at_the_viewer(buildings: dict[str, Building], kind: str) -> None:
    building = buildings[kind]
    low, high = building.reach
    assert low[2] == pytest.approx(0)
    assert 8 < high[2] < 75
    assert 6 < high[0] - low[0] < 50
    assert normals(building.mesh.corners)[building.facade] == pytest.approx((0, -1, 0))
    height, width, channels = building.reference.shape
    assert min(height, width) > 60
    assert channels == 3


def test_same_seed_same_walls() -> None:
    first, again, other = (make_building(seed, "val", 1, 3, "val") for seed in (1, 1, 2))
    assert np.array_equal(first.mesh.corners, again.mesh.corners)
    assert np.array_equal(first.reference, again.reference)
    assert not np.array_equal(first.reference, other.reference)


def test_box_shows_its_outside() -> None:
    from deepret.data.scenes.canvas import Canvas, Skin
    from deepret.data.scenes.solids import Builder

    build, skin = Builder(), Skin(Canvas(2, 2))
    build.box((0, 2), (0, 3), (0, 4), skin, skin, skin)
    build.hip((0, 2), (0, 3), (4, 6), skin, 0.5)
    build.saddle((4, 6), (0, 3), (0, 2), skin, skin)
    build.frustum((9, 9), (1, 0), (0.5, 3), skin, 7)
    mesh = build.mesh()
    middle = mesh.corners.mean(1)
    outward = middle - np.where(middle[:, :1] > 7, (9, 9, 1), np.where(middle[:, :1] > 3, (5, 1.5, 0.5), (1, 1.5, 2.5)))
    assert ((normals(mesh.corners) * outward).sum(1) > 0).all()
