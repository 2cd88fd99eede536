"""Puts trees, people, vehicles and lamps into a scene, and the plain shapes that throw their shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepret.data.scenes.camera import Camera
from deepret.data.scenes.canvas import Array, Skin
from deepret.data.scenes.solids import Builder, Mesh
from deepret.data.scenes.sprites import bush, lamp, person, tree, vehicle


@dataclass(frozen=True)
class Amount:
    """How many of each stand about, on average."""

    trees: float
    bushes: float
    people: float
    vehicles: float
    lamps: float

    def times(self, factor: float) -> Amount:
        """More, or fewer, of everything."""
        return Amount(*(factor * n for n in (self.trees, self.bushes, self.people, self.vehicles, self.lamps)))


def draw_amount(rng: np.random.Generator) -> Amount:
    """A busy place or a quiet one."""
    return Amount(*(rng.choice([0.0, 0.6, 1.0, 2.2]) * np.array([1.6, 1.2, 4.0, 1.1, 0.8])))


def scatter(
    camera: Camera, amount: Amount, footprints: list[tuple[Array, Array]], toward: Array, rng: np.random.Generator
) -> tuple[list[Mesh], list[Mesh]]:
    """Things on the ground within the view, and what throws their shadows.

    Args:
        camera: the view.
        amount: of each kind.
        footprints: least and greatest x, y, z of each building; nothing is put inside.
        toward: (3,) unit vector to the sun.
        rng: for kinds and places.
    """
    things, casters = [], []
    for kind, mean in (
        ("tree", amount.trees),
        ("bush", amount.bushes),
        ("person", amount.people),
        ("car", amount.vehicles),
        ("lamp", amount.lamps),
    ):
        for _ in range(int(rng.poisson(mean))):
            spot = _spot(camera, kind, footprints, rng)
            if spot is None:
                continue
            if kind == "car":
                turn = float(rng.choice([0, 180, 0, 180, 90]) + rng.normal(0, 4))
                mesh = vehicle(int(rng.integers(24))).placed(turn, *spot)
                things.append(mesh)
                casters.append(mesh)
                continue
            draw = {"tree": (tree, 64), "bush": (bush, 16), "person": (person, 32), "lamp": (lamp, 8)}[kind]
            skin, width, height = draw[0](int(rng.integers(draw[1])))
            things.append(_card(skin, width, height, spot, camera.centre[:2] - spot))
            low = 0.35 * height if kind == "tree" else 0.0
            thin = {"tree": 0.62, "bush": 0.8, "person": 0.5, "lamp": 0.08}[kind]
            casters.append(_diamond(skin, thin * width, low, 0.95 * height, spot, toward[:2]))
    return things, casters


def _spot(camera: Camera, kind: str, footprints: list[tuple[Array, Array]], rng: np.random.Generator) -> Array | None:
    """A free place (2,) on the ground before the camera, or None where none was found."""
    forward = camera.rotation[2, :2] / np.linalg.norm(camera.rotation[2, :2])
    right = np.array([forward[1], -forward[0]])
    own = (
        np.linalg.norm(camera.centre[:2] - np.clip(camera.centre[:2], footprints[0][0][:2], footprints[0][1][:2]))
        if footprints
        else 40.0
    )
    margin = {"tree": 2.5, "bush": 0.6, "person": 0.8, "car": 3.0, "lamp": 1.0}[kind]
    for _ in range(6):
        reach = rng.uniform(0.45, 1.5) if kind in ("tree", "bush") else rng.uniform(0.3, 1.02)
        depth = max(own * reach, 3.5 if kind == "person" else 6.0)
        column = rng.uniform(-0.1, 1.1) * camera.width
        spot = camera.centre[:2] + depth * (forward + right * (column - camera.cx) / camera.focal)
        if all(np.any(spot < low[:2] - margin) or np.any(spot > high[:2] + margin) for low, high in footprints):
            return np.asarray(spot)
    return None


def _card(skin: Skin, width: float, height: float, spot: Array, toward: Array) -> Mesh:
    """An upright picture that faces the camera."""
    toward = toward / np.linalg.norm(toward)
    half = np.array([-toward[1], toward[0]]) * width / 2
    a, b = spot - half, spot + half
    build = Builder()
    build.trapezoid((*a, 0), (*b, 0), (*b, height), (*a, height), skin)
    return build.mesh()


def _diamond(skin: Skin, width: float, low: float, high: float, spot: Array, toward: Array) -> Mesh:
    """Two trapezoids that face the sun: the outline of a crown, or of a body, good enough for a shadow."""
    toward = toward / max(np.linalg.norm(toward), 1e-6)
    half = np.array([-toward[1], toward[0]]) * width / 2
    middle = (low + high) / 2
    build = Builder()
    a, b, c, d = spot - half, spot + half, spot - 0.45 * half, spot + 0.45 * half
    build.trapezoid((*c, low), (*d, low), (*b, middle), (*a, middle), skin)
    build.trapezoid((*a, middle), (*b, middle), (*d, high), (*c, high), skin)
    return build.mesh()
