"""What archetypes build with: solids, and walls drawn in one style when they are asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from deepret.data.scenes.canvas import Skin
from deepret.data.scenes.facade import draw_facade
from deepret.data.scenes.fronts import glazed, rose
from deepret.data.scenes.solids import Builder
from deepret.data.scenes.style import Style
from deepret.data.scenes.walls import bare, gable, plain, tiled


class Drawing:
    """What an archetype builds with: a builder for solids, and skins in the building's style, drawn when asked for."""

    def __init__(self, style: Style, rng: np.random.Generator) -> None:
        self.style, self.rng, self.build = style, rng, Builder()

    def between(self, low: float, high: float) -> float:
        """A length between two bounds."""
        return float(self.rng.uniform(low, high))

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def front(self, width: float, height: float, door: bool = True) -> Skin:
        """A rich facade."""
        return draw_facade(self.style, width, height, self.rng, door=door)

    def side(self, width: float, height: float) -> Skin:
        """A side wall: windows, nothing else."""
        return draw_facade(self.style, width, height, self.rng, rich=False)

    def gable(self, width: float, height: float) -> Skin:
        """A gable's triangle."""
        return gable(self.style, width, height, self.rng)

    def church(self, width: float, height: float) -> Skin:
        """A front with a rose window."""
        return rose(self.style, width, height, self.rng)

    def glass(self, width: float, height: float) -> Skin:
        """A curtain wall."""
        return glazed(self.style, width, height, self.rng)

    @cached_property
    def roof(self) -> Skin:
        """A stretch of roof, shared by all slopes."""
        return tiled(self.style, 20.0, 9.0, self.rng)

    @cached_property
    def stone(self) -> Skin:
        """Dressed stone, shared by columns, steps and battlements."""
        return plain(self.style, 6.0, 9.0, self.rng)

    @cached_property
    def bare(self) -> Skin:
        """The wall without openings."""
        return bare(self.style, 12.0, 9.0, self.rng)

    def block(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        front: Skin | None = None,
        door: bool = False,
    ) -> int:
        """A box with windows on all sides; gives the number of its front face."""
        front = front or self.front(x[1] - x[0], z[1] - z[0], door)
        return self.build.box(x, y, z, front, self.side(y[1] - y[0], z[1] - z[0]), self.stone)

    def battlements(self, x: tuple[float, float], y: tuple[float, float], z: float) -> None:
        """Merlons along the front and the sides of a flat roof."""
        count = max(2, round((x[1] - x[0]) / 1.9))
        for left in np.linspace(x[0], x[1] - 0.9, count):
            self.build.box(
                (left, left + 0.9), (y[0] - 0.1, y[0] + 0.5), (z, z + 1.1), self.stone, self.stone, self.stone
            )
        count = max(2, round((y[1] - y[0]) / 2.4))
        for near in np.linspace(y[0], y[1] - 0.9, count)[1:]:
            for edge in (x[0] - 0.1, x[1] - 0.4):
                self.build.box((edge, edge + 0.5), (near, near + 0.9), (z, z + 1.1), self.stone, self.stone, self.stone)

    def columns(self, x: tuple[float, float], y: float, z: tuple[float, float], count: int, radius: float) -> None:
        """A row of columns with bases and capitals."""
        for at in np.linspace(x[0], x[1], count):
            self.build.frustum((at, y), (radius, z[0] + 0.3), (0.82 * radius, z[1] - 0.35), self.stone, 6)
            for low, high in ((z[0], z[0] + 0.3), (z[1] - 0.35, z[1])):
                box = (at - 1.25 * radius, at + 1.25 * radius), (y - 1.25 * radius, y + 1.25 * radius), (low, high)
                self.build.box(*box, self.stone, self.stone, None)

    def balcony(self, x: float, y: float, z: float, width: float) -> None:
        """A slab with a parapet before a wall."""
        half = width / 2
        self.build.box((x - half, x + half), (y - 1.1, y), (z, z + 0.22), self.stone, self.stone, self.stone)
        self.build.box(
            (x - half, x + half), (y - 1.1, y - 0.95), (z + 0.22, z + 1.1), self.stone, self.stone, self.stone
        )

    def chimneys(self, x: tuple[float, float], y: float, z: float) -> None:
        """One to three chimneys."""
        for _ in range(int(self.rng.integers(1, 4))):
            at = self.between(*x)
            self.build.box(
                (at - 0.5, at + 0.5), (y - 0.4, y + 0.4), (z - 2.5, z + 1.5), self.bare, self.bare, self.stone
            )

    def crown(self, x: float, y: float, half: float, z: float) -> float:
        """What stands on a tower of half-width ``half``; gives the height of its tip."""
        kind = self.rng.choice(["spire", "pyramid", "dome", "battlements", "lantern"])
        box = (x - half, x + half), (y - half, y + half)
        if kind == "spire":
            rise = half * self.between(2.6, 4.5)
            self.build.pyramid(*box, (z, z + rise), self.roof)
        elif kind == "pyramid":
            rise = half * self.between(1.0, 1.8)
            self.build.pyramid(
                (x - half - 0.4, x + half + 0.4), (y - half - 0.4, y + half + 0.4), (z, z + rise), self.roof
            )
        elif kind == "dome":
            rise = half * self.between(0.9, 1.5)
            self.build.frustum((x, y), (half, z), (half, z + 0.3 * half), self.stone, 8)
            self.build.dome((x, y), half, z + 0.3 * half, rise, self.roof, 8)
            rise += 0.3 * half
        elif kind == "lantern":
            rise = half * 2.6
            self.build.frustum((x, y), (0.75 * half, z), (0.7 * half, z + 1.1 * half), self.bare, 8, self.stone)
            self.build.frustum((x, y), (0.85 * half, z + 1.1 * half), (0.02, z + rise), self.roof, 8)
        else:
            rise = 1.1
            self.battlements(*box, z)
        return z + rise
