"""Things of a household, about as large as a house: pictures know no scale, and the renderer's is a building's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from deepret.data.scenes.canvas import Canvas, Skin, stream
from deepret.data.scenes.solids import Builder, Mesh
from deepret.data.turntable.labels import Brand, draw_brand, label, plain, wrapped

SIDES = 20
"""Flat faces around what is round."""
BRANDS = 4
"""Things of a split that share a brand, about."""


def carton(brand: Brand, build: Builder, rng: np.random.Generator) -> None:
    """A box of cardboard, printed on all sides."""
    w, d, h = rng.uniform(6, 12), rng.uniform(3, 7), rng.uniform(8, 16)
    _box(build, (w, d), (0.0, h), brand, rng)


def can(brand: Brand, build: Builder, rng: np.random.Generator) -> None:
    """A tin with a label around it."""
    r, h = rng.uniform(3, 5), rng.uniform(7, 13)
    tin = (176, 178, 180)
    profile = [(0.94 * r, 0.0), (r, 0.4), (r, h - 0.4), (0.94 * r, h)]
    _lathe(build, profile, [plain(tin, 7 * r, 0.5, rng), label(brand, 6.2 * r, h, rng), plain(tin, 7 * r, 0.5, rng)])
    _lid(build, 0.94 * r, h, plain(tin, 2 * r, 2 * r, rng))


def bottle(brand: Brand, build: Builder, rng: np.random.Generator) -> None:
    """A bottle: body with a label, shoulder, neck, cap."""
    r, body, neck = rng.uniform(2.6, 4), rng.uniform(6, 10), rng.uniform(0.3, 0.5)
    top = body + rng.uniform(2, 4)
    profile = [(r, 0.0), (r, body), (neck * r, top), (neck * r, top + 2), (1.1 * neck * r, top + 3)]
    glass = plain(brand.ground, 7 * r, 4, rng)
    cap = plain(brand.accent, 7 * r, 4, rng)
    _lathe(build, profile, [label(brand, 6.2 * r, body, rng), glass, glass, cap])
    _lid(build, 1.1 * neck * r, top + 3, cap)


def drum(brand: Brand, build: Builder, rng: np.random.Generator) -> None:
    """A drum, painted on its side and its skin."""
    r, h = rng.uniform(4, 6), rng.uniform(5, 9)
    low, swell = rng.uniform(0.45, 0.8) * r, rng.uniform(0.8, 1.15) * r
    wood = plain(brand.panel, 7 * r, h, rng)
    _lathe(build, [(low, 0.0), (swell, 0.4 * h), (r, h)], [wood, label(brand, 6.6 * r, 0.62 * h, rng)])
    _lid(build, r, h, label(brand, 2 * r, 2 * r, rng))


def ball(brand: Brand, build: Builder, rng: np.random.Generator) -> None:
    """A ball on a ring."""
    r = rng.uniform(4, 6)
    angles = np.radians(np.linspace(-66, 88, 8))
    profile = [(float(r * np.cos(a)), float(r * (0.95 + np.sin(a)))) for a in angles]
    print_ = label(brand, 6.3 * r, 2.2 * r, rng)
    rows = np.rint(np.linspace(0, print_.colour.shape[0], len(profile))).astype(int)[::-1]
    _lathe(build, profile, [_rows(print_, high, low) for low, high in pairwise(rows)])


def tower(brand: Brand, build: Builder, rng: np.random.Generator) -> None:
    """A toy of blocks, one on the other."""
    low, side = 0.0, rng.uniform(6, 9)
    for _ in range(int(rng.integers(2, 5))):
        high = low + rng.uniform(2.5, 5)
        _box(build, (side * rng.uniform(0.7, 1.1), side * rng.uniform(0.6, 1.0)), (low, high), brand, rng)
        low, side = high, side * rng.uniform(0.65, 0.95)


KINDS: dict[str, Callable[[Brand, Builder, np.random.Generator], None]] = {
    "carton": carton,
    "can": can,
    "bottle": bottle,
    "drum": drum,
    "ball": ball,
    "tower": tower,
}


def kind_of(seed: int, group: str, number: int) -> str:
    """What a group's thing is: each kind in turn, in an order of the group's own, so that none is missing."""
    order = stream(seed, group, "kinds").permutation(len(KINDS))
    return str(list(KINDS)[order[number % len(order)]])


def make_thing(seed: int, group: str, number: int, things: int) -> Mesh:
    """A thing in the middle of the ground, the same for the same arguments.

    Args:
        seed: of the whole set.
        group: the split that it belongs to.
        number: its own within the group.
        things: how many the group has: the more, the more brands.
    """
    rng = stream(seed, group, "thing", number)
    brand = draw_brand(seed, group, int(rng.integers(max(2, round(things / BRANDS)))))
    build = Builder()
    KINDS[kind_of(seed, group, number)](brand, build, rng)
    return build.mesh()


def _box(
    build: Builder, size: tuple[float, float], z: tuple[float, float], brand: Brand, rng: np.random.Generator
) -> None:
    """An upright block in the middle, its front and back alike in nothing but the brand."""
    (w, d), (low, high) = size, z
    x0, x1, y0, y1 = -w / 2, w / 2, -d / 2, d / 2
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        print_ = Skin(label(brand, float(np.hypot(bx - ax, by - ay)), high - low, rng))
        build.trapezoid((ax, ay, low), (bx, by, low), (bx, by, high), (ax, ay, high), print_)
    build.trapezoid((x0, y0, high), (x1, y0, high), (x1, y1, high), (x0, y1, high), Skin(label(brand, w, d, rng)))


def _lathe(build: Builder, profile: Sequence[tuple[float, float]], rings: Sequence[Canvas]) -> None:
    """A turned solid: rings between radii at heights, each with a sheet around it."""
    angles = 2 * np.pi * np.arange(SIDES + 1) / SIDES
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for ((r0, z0), (r1, z1)), sheet in zip(pairwise(profile), rings, strict=True):
        low = np.column_stack([circle * r0, np.full(SIDES + 1, z0)])
        high = np.column_stack([circle * r1, np.full(SIDES + 1, z1)])
        for i, skin in enumerate(wrapped(sheet, SIDES)):
            build.trapezoid(low[i], low[i + 1], high[i + 1], high[i], skin)


def _lid(build: Builder, radius: float, z: float, sheet: Canvas) -> None:
    """A round top of wedges."""
    angles = 2 * np.pi * np.arange(SIDES + 1) / SIDES
    rim = np.column_stack([radius * np.cos(angles), radius * np.sin(angles), np.full(SIDES + 1, z)])
    for i, skin in enumerate(wrapped(sheet, SIDES)):
        build.trapezoid(rim[i], rim[i + 1], (0, 0, z), (0, 0, z), skin)


def _rows(sheet: Canvas, top: int, bottom: int) -> Canvas:
    """Some rows of a sheet, from the lower of two row numbers to the higher one."""
    first, last = sorted((int(top), int(bottom)))
    part = Canvas(sheet.width, sheet.height * (last - first) / sheet.colour.shape[0])
    part.colour, part.relief, part.glass = (
        np.ascontiguousarray(plane[first:last]) for plane in (sheet.colour, sheet.relief, sheet.glass)
    )
    return part
