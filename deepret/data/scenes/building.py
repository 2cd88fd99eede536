"""One building: its style, its solid with every wall drawn, and which of its faces is the main facade."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from deepret.data.scenes.archetypes import ARCHETYPES
from deepret.data.scenes.canvas import Array, stream
from deepret.data.scenes.drawing import Drawing
from deepret.data.scenes.solids import Mesh
from deepret.data.scenes.style import draw_style


@dataclass(frozen=True)
class Building:
    """A building at the origin, its front on the plane y = 0.

    Args:
        name: its own; a class's label for a landmark.
        mesh: its faces.
        facade: number of the face that is its main facade.
        archetype: what kind of building it is.
    """

    name: str
    mesh: Mesh
    facade: int
    archetype: str

    @property
    def corners(self) -> Array:
        """All corners of all faces (4 F, 3)."""
        return self.mesh.corners.reshape(-1, 3)

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """The least and the greatest x, y, z."""
        return self.corners.min(0), self.corners.max(0)

    @property
    def reference(self) -> Array:
        """The main facade seen straight on, (h, w, 3) under an even sky."""
        image: Array = self.mesh.skins[self.mesh.skin[self.facade]].level(0, 0)[..., :3]
        return image


def kind_of(seed: int, group: str, number: int) -> str:
    """The archetype of a group's building: each in turn, in an order of the group's own, so that none is missing."""
    order = stream(seed, group, "order").permutation(len(ARCHETYPES))
    return str(list(ARCHETYPES)[order[number % len(order)]])


def make_building(seed: int, group: str, number: int, kits: int, shared: str) -> Building:
    """A building, the same for the same arguments.

    Args:
        seed: of the whole set.
        group: what it belongs to, such as the classes of a split.
        number: its own within the group.
        kits: how many kits of parts there are; the fewer, the more buildings look alike in part.
        shared: name of the kits; groups that name the same draw on the same parts.
    """
    rng = stream(seed, group, "building", number)
    masonry, windows, crown = (int(k) for k in rng.integers(0, kits, 3))
    archetype = kind_of(seed, group, number)
    drawing = Drawing(draw_style(seed, shared, masonry, windows, crown, rng), rng)
    facade = ARCHETYPES[archetype](drawing)
    return Building(f"{group}_{number:03d}", drawing.build.mesh(), facade, archetype)
