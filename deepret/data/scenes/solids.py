"""Solids of flat faces: boxes, prisms, roofs, domes, all made of one thing, a trapezoid in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from deepret.data.scenes.canvas import Array, Skin

Point = Sequence[float]


@dataclass
class Mesh:
    """Trapezoids in space; x runs right, y away from the viewer, z up, in metres.

    ``corners`` (F, 4, 3) lower left, lower right, upper right, upper left, seen from outside; ``skin`` (F,), the
    number of each face's texture in ``skins``. A texture lies on its face at its own scale, its lower edge's middle on
    that of the face, and is mirrored where the face is larger.
    """

    corners: Array
    skin: Array
    skins: list[Skin]

    def placed(self, turn: float, x: float, y: float) -> Mesh:
        """The same solid turned by ``turn`` degrees counter-clockwise from above, then moved."""
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return Mesh(self.corners @ rotation.T + (x, y, 0), self.skin, self.skins)


def join(meshes: Sequence[Mesh]) -> tuple[Mesh, Array]:
    """One mesh of all, and for each face (F,) the number of the mesh that it came from."""
    skins: list[Skin] = []
    shifted = []
    for mesh in meshes:
        shifted.append(mesh.skin + len(skins))
        skins += mesh.skins
    owner = np.repeat(np.arange(len(meshes)), [len(m.skin) for m in meshes])
    return Mesh(np.concatenate([m.corners for m in meshes]), np.concatenate(shifted), skins), owner


@dataclass
class Builder:
    """Collects faces; each ``skin`` is a Skin object."""

    _corners: list[Array] = field(default_factory=list)
    _skin: list[int] = field(default_factory=list)
    _skins: list[Skin] = field(default_factory=list)

    def trapezoid(self, low_left: Point, low_right: Point, high_right: Point, high_left: Point, skin: Skin) -> int:
        """Adds a face and gives its number; a triangle's upper corners are the same point."""
        number = next((i for i, s in enumerate(self._skins) if s is skin), len(self._skins))
        if number == len(self._skins):
            self._skins.append(skin)
        self._corners.append(np.array([low_left, low_right, high_right, high_left], np.float64))
        self._skin.append(number)
        return len(self._skin) - 1

    def mesh(self) -> Mesh:
        """Everything added so far."""
        return Mesh(np.stack(self._corners), np.array(self._skin), self._skins)

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        front: Skin,
        side: Skin,
        top: Skin | None,
    ) -> int:
        """An upright box; gives the number of its front face. The back is like the sides."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        number = self.trapezoid((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1), front)
        self.trapezoid((x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1), side)
        self.trapezoid((x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1), side)
        self.trapezoid((x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1), side)
        if top is not None:
            self.trapezoid((x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1), top)
        return number

    def frustum(
        self,
        centre: tuple[float, float],
        low: tuple[float, float],
        high: tuple[float, float],
        skin: Skin,
        sides: int = 8,
        cap: Skin | None = None,
    ) -> None:
        """A ring of faces between two regular polygons, each (radius, z); the first face looks at the viewer."""
        angles = -np.pi / 2 - np.pi / sides + 2 * np.pi * np.arange(sides + 1) / sides
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        (r0, z0), (r1, z1) = low, high
        a = np.column_stack([circle * r0 + centre, np.full(sides + 1, z0)])
        b = np.column_stack([circle * r1 + centre, np.full(sides + 1, z1)])
        for i in range(sides):
            self.trapezoid(a[i], a[i + 1], b[i + 1], b[i], skin)
        if cap is not None:
            x, y, half = centre[0], centre[1], r1 * 0.7
            self.trapezoid(
                (x - half, y - half, z1),
                (x + half, y - half, z1),
                (x + half, y + half, z1),
                (x - half, y + half, z1),
                cap,
            )

    def dome(
        self, centre: tuple[float, float], radius: float, z: float, rise: float, skin: Skin, sides: int = 10
    ) -> None:
        """A dome of rings of flat faces."""
        angles = np.radians((0, 28, 54, 76, 90))
        rings = [(radius * np.cos(a) if a < 1.57 else 0.02, z + rise * np.sin(a)) for a in angles]
        for low, high in pairwise(rings):
            self.frustum(centre, low, high, skin, sides)

    def pyramid(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], skin: Skin) -> None:
        """Four slopes to a point."""
        self.hip(x, y, z, skin, ridge=0.0)

    def hip(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], skin: Skin, ridge: float
    ) -> None:
        """A hipped roof: a share ``ridge`` of its width is ridge, 0 for a pyramid."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        ym, xm = (y0 + y1) / 2, (x0 + x1) / 2
        a, b = xm - ridge * (x1 - x0) / 2, xm + ridge * (x1 - x0) / 2
        self.trapezoid((x0, y0, z0), (x1, y0, z0), (b, ym, z1), (a, ym, z1), skin)
        self.trapezoid((x1, y1, z0), (x0, y1, z0), (a, ym, z1), (b, ym, z1), skin)
        self.trapezoid((x1, y0, z0), (x1, y1, z0), (b, ym, z1), (b, ym, z1), skin)
        self.trapezoid((x0, y1, z0), (x0, y0, z0), (a, ym, z1), (a, ym, z1), skin)

    def mansard(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], lean: float, skin: Skin, top: Skin
    ) -> None:
        """Steep slopes that lean in by ``lean`` metres, flat above."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        a, b, c, d = x0 + lean, x1 - lean, y0 + lean, y1 - lean
        self.trapezoid((x0, y0, z0), (x1, y0, z0), (b, c, z1), (a, c, z1), skin)
        self.trapezoid((x1, y1, z0), (x0, y1, z0), (a, d, z1), (b, d, z1), skin)
        self.trapezoid((x1, y0, z0), (x1, y1, z0), (b, d, z1), (b, c, z1), skin)
        self.trapezoid((x0, y1, z0), (x0, y0, z0), (a, c, z1), (a, d, z1), skin)
        self.trapezoid((a, c, z1), (b, c, z1), (b, d, z1), (a, d, z1), top)

    def saddle(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], skin: Skin, end: Skin
    ) -> int:
        """A roof whose ridge runs away from the viewer; gives the number of the front gable."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        xm = (x0 + x1) / 2
        self.trapezoid((x1, y0, z0), (x1, y1, z0), (xm, y1, z1), (xm, y0, z1), skin)
        self.trapezoid((x0, y1, z0), (x0, y0, z0), (xm, y0, z1), (xm, y1, z1), skin)
        self.trapezoid((x1, y1, z0), (x0, y1, z0), (xm, y1, z1), (xm, y1, z1), end)
        return self.trapezoid((x0, y0, z0), (x1, y0, z0), (xm, y0, z1), (xm, y0, z1), end)

    def ridge(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], skin: Skin, end: Skin
    ) -> None:
        """A roof whose ridge runs along the front."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        ym = (y0 + y1) / 2
        self.trapezoid((x0, y0, z0), (x1, y0, z0), (x1, ym, z1), (x0, ym, z1), skin)
        self.trapezoid((x1, y1, z0), (x0, y1, z0), (x0, ym, z1), (x1, ym, z1), skin)
        self.trapezoid((x1, y0, z0), (x1, y1, z0), (x1, ym, z1), (x1, ym, z1), end)
        self.trapezoid((x0, y1, z0), (x0, y0, z0), (x0, ym, z1), (x0, ym, z1), end)
