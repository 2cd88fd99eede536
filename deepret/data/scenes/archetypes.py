"""Kinds of buildings: each function builds one with a drawing's style, and gives the number of its main facade."""

from __future__ import annotations

from collections.abc import Callable

from deepret.data.scenes.drawing import Drawing


def palace(d: Drawing) -> int:
    """A wide front with a bay before its middle, a gable over it and wings at the ends."""
    half, deep, high = d.between(11, 16), d.between(8, 12), d.between(10, 15)
    bay, out = half * d.between(0.28, 0.42), d.between(1.5, 3.5)
    rise = d.between(2.5, 4.5)
    d.block((-half, half), (0, deep), (0, high))
    d.build.hip((-half - 0.5, half + 0.5), (-0.5, deep + 0.5), (high, high + rise), d.roof, 0.75)
    facade = d.block((-bay, bay), (-out, 2), (0, high + 0.8), door=True)
    d.build.saddle(
        (-bay - 0.4, bay + 0.4),
        (-out - 0.4, deep / 2),
        (high + 0.8, high + 0.8 + 0.75 * rise),
        d.roof,
        d.gable(2 * bay, 0.75 * rise),
    )
    if d.chance(0.7):
        wing, forth, top = half * d.between(0.16, 0.24), out * d.between(1.0, 2.4), high + d.between(0.5, 4)
        front, side = d.front(2 * wing, top, False), d.side(forth + deep, top)
        for x in (-half, half):
            d.build.box((x - wing, x + wing), (-forth, deep), (0, top), front, side, d.stone)
            d.build.hip((x - wing - 0.4, x + wing + 0.4), (-forth - 0.4, deep), (top, top + rise), d.roof, 0.0)
    else:
        d.chimneys((-half + 2, half - 2), deep / 2, high + rise)
    if d.chance(0.5):
        d.balcony(0, -out, 4.2, 1.1 * bay)
    return facade


def church(d: Drawing) -> int:
    """A nave behind a gabled front, with one or two towers."""
    half, deep, high = d.between(5, 7.5), d.between(18, 26), d.between(10, 15)
    pitch = half * d.between(1.0, 1.6)
    facade = d.build.box((-half, half), (0, deep), (0, high), d.church(2 * half, high), d.side(deep, high), None)
    d.build.saddle((-half - 0.3, half + 0.3), (-0.3, deep), (high, high + pitch), d.roof, d.gable(2 * half, pitch))
    aisle = d.between(2.5, 4)
    for turn in (-1, 1):
        flank = (half, half + aisle) if turn > 0 else (-half - aisle, -half)
        d.build.box(flank, (2, deep), (0, 0.55 * high), d.bare, d.side(deep - 2, 0.55 * high), d.roof)
    wide = d.between(2.0, 2.8)
    top = high + pitch * d.between(0.5, 1.5)
    spots = (
        [(-half - wide + 0.4, 0.5), (half + wide - 0.4, 0.5)]
        if d.chance(0.45)
        else [(float(d.rng.choice([-1, 1])) * (half + wide - 0.4), 1.0)]
    )
    shaft = d.front(2 * wide, top, False)
    state = d.rng.bit_generator.state
    for x, y in spots:
        d.rng.bit_generator.state = state  # both towers carry the same crown
        d.build.box((x - wide, x + wide), (y - 1, y - 1 + 2 * wide), (0, top), shaft, shaft, d.stone)
        d.crown(x, y - 1 + wide, wide, top)
    return facade


def tower(d: Drawing) -> int:
    """A tall tower that stands alone on a base."""
    half, high = d.between(4.4, 6.2), d.between(18, 28)
    base = half + d.between(1, 3.5)
    foot = d.between(4, 7)
    d.build.box(
        (-base, base), (-base + half, base + half), (0, foot), d.front(2 * base, foot), d.side(2 * base, foot), d.stone
    )
    facade = d.block((-half, half), (0, 2 * half), (foot, high))
    if d.chance(0.6):
        more = half + 0.6
        d.build.box((-more, more), (-0.6, 2 * half + 0.6), (high, high + 1.2), d.stone, d.stone, d.stone)
    if d.chance(0.5):
        inner = half * 0.8
        step = d.between(4, 6)
        d.build.box(
            (-inner, inner),
            (half - inner, half + inner),
            (high, high + step),
            d.front(2 * inner, step, False),
            d.side(2 * inner, step),
            d.stone,
        )
        d.crown(0, half, inner, high + step)
    else:
        d.crown(0, half, half, high)
    return facade


def town_hall(d: Drawing) -> int:
    """A long block under a ridge, a tower rising from its front."""
    half, deep, high = d.between(9, 14), d.between(8, 11), d.between(9, 13)
    rise = d.between(4, 6.5)
    facade = d.block((-half, half), (0, deep), (0, high), door=True)
    d.build.ridge((-half - 0.3, half + 0.3), (-0.5, deep + 0.5), (high, high + rise), d.roof, d.gable(deep + 1, rise))
    wide = d.between(1.9, 2.8)
    at = float(d.rng.choice([0.0, -0.55, 0.55])) * half
    top = high + rise + d.between(3, 10)
    shaft = d.front(2 * wide, top, False)
    d.build.box((at - wide, at + wide), (-1.2, -1.2 + 2 * wide), (0, top), shaft, d.side(2 * wide, top), d.stone)
    d.crown(at, -1.2 + wide, wide, top)
    for _ in range(int(d.rng.integers(1, 4))):  # dormers
        x = d.between(-0.85, 0.85) * half
        d.build.box((x - 1.1, x + 1.1), (0.3, 3), (high, high + 2.2), d.front(2.2, 2.2, False), d.bare, None)
        d.build.saddle((x - 1.3, x + 1.3), (0.1, 3.5), (high + 2.2, high + 3.5), d.roof, d.bare)
    return facade


def temple(d: Drawing) -> int:
    """A hall on steps, a portico of columns under a gable before its middle, perhaps a dome above."""
    half, deep, high = d.between(9, 13), d.between(12, 18), d.between(9, 12)
    wide, porch, rise = half * d.between(0.36, 0.5), d.between(1.6, 2.4), d.between(2.6, 4)
    for step in range(3):
        out = 1.5 - 0.5 * step
        at = (0.4 * step, 0.4 * (step + 1))
        d.build.box((-wide - out, wide + out), (-porch - out, 0), at, d.stone, d.stone, d.stone)
    facade = d.block((-half, half), (0, deep), (0, high + 1.8), door=True)
    d.build.hip((-half - 0.4, half + 0.4), (-0.4, deep + 0.4), (high + 1.8, high + 1.8 + rise), d.roof, 0.6)
    d.columns((-wide + 0.8, wide - 0.8), -porch + 0.8, (1.2, high), 4, d.between(0.4, 0.52))
    d.build.box((-wide, wide), (-porch, 0), (high, high + 1.8), d.front(2 * wide, 1.8, False), d.bare, d.stone)
    eaves = (-wide - 0.4, wide + 0.4), (-porch - 0.4, deep / 2), (high + 1.8, high + 1.8 + rise)
    d.build.saddle(*eaves, d.roof, d.gable(2 * wide, rise))
    if d.chance(0.6):
        radius = half * d.between(0.38, 0.5)
        foot = high + rise + 3.0
        d.build.frustum((0, deep * 0.6), (radius, high), (radius, foot), d.side(1.0 * radius, foot - high), 10)
        d.build.dome((0, deep * 0.6), 1.05 * radius, foot, radius * d.between(0.8, 1.1), d.roof)
    return facade


def town_house(d: Drawing) -> int:
    """A narrow, tall house with a gable, plain, stepped or bowed by a parapet, and bay windows."""
    half, deep, high = d.between(4, 6.5), d.between(9, 13), d.between(11, 17)
    facade = d.block((-half, half), (0, deep), (0, high), door=True)
    pitch = half * d.between(0.9, 1.5)
    if d.chance(0.5):
        d.build.saddle((-half - 0.2, half + 0.2), (0, deep), (high, high + pitch), d.roof, d.gable(2 * half, pitch))
        steps = int(d.rng.integers(4, 6))
        for i in range(steps):
            wide = half * (1 - i / steps)
            low = high + pitch * i / steps
            skin = d.bare if i else d.front(2 * half, pitch / steps + 0.4, False)
            d.build.box((-wide, wide), (-0.15, 0.35), (low, low + pitch / steps + 0.4), skin, d.stone, d.stone)
    else:
        d.build.mansard((-half, half), (0, deep), (high, high + 3.2), 1.2, d.roof, d.stone)
        for x in (-0.5 * half, 0.5 * half):
            d.build.box((x - 0.9, x + 0.9), (0.1, 2), (high, high + 2.3), d.front(1.8, 2.3, False), d.bare, d.stone)
    if d.chance(0.7):
        wide, x = d.between(1.3, 1.8), d.between(-0.5, 0.5) * half
        top = high * d.between(0.6, 0.85)
        d.build.box(
            (x - wide, x + wide),
            (-1.2, 0),
            (4.2, top),
            d.front(2 * wide, top - 4.2, False),
            d.side(1.2, top - 4.2),
            d.roof,
        )
    else:
        d.balcony(0, 0, 4.3, half)
    d.chimneys((-half + 1, half - 1), deep * 0.7, high + 3)
    return facade


def castle(d: Drawing) -> int:
    """A wall with battlements between round towers, a keep behind."""
    half, high = d.between(8, 13), d.between(8, 12)
    facade = d.build.box((-half, half), (0, 5), (0, high), d.front(2 * half, high), d.side(5, high), d.stone)
    d.battlements((-half, half), (0, 5), high)
    cone = d.chance(0.65)
    for x in (-half, half):
        radius, top = d.between(2.6, 3.8), high + d.between(1.5, 6)
        d.build.frustum((x, 1.5), (radius, 0), (0.96 * radius, top), d.side(0.85 * radius, top), 8, d.stone)
        d.build.frustum((x, 1.5), (1.1 * radius, top), (1.1 * radius, top + 1.2), d.stone, 8, d.stone)
        if cone:
            d.build.frustum(
                (x, 1.5), (1.2 * radius, top + 1.2), (0.02, top + 1.2 + radius * d.between(1.8, 2.6)), d.roof, 8
            )
    wide, keep, x = d.between(3, 5), high + d.between(5, 11), d.between(-0.4, 0.4) * half
    d.block((x - wide, x + wide), (5, 5 + 2 * wide), (0, keep))
    if cone:
        d.build.pyramid((x - wide - 0.4, x + wide + 0.4), (4.6, 5.4 + 2 * wide), (keep, keep + 1.5 * wide), d.roof)
    else:
        d.battlements((x - wide, x + wide), (5, 5 + 2 * wide), keep)
    return facade


def glass_house(d: Drawing) -> int:
    """A modern block of shifted volumes."""
    half, deep, high = d.between(6, 11), d.between(8, 12), d.between(13, 26)
    facade = d.build.box(
        (-half, half), (0, deep), (4, high), d.glass(2 * half, high - 4), d.glass(deep, high - 4), d.stone
    )
    inner = 0.9 * half
    d.build.box((-inner, inner), (1.0, deep), (0, 4), d.glass(2 * inner, 4), d.bare, None)
    if d.chance(0.7):  # a second volume
        turn = float(d.rng.choice([-1, 1]))
        a, b = sorted((turn * 0.35 * half, turn * (half + d.between(2, 6))))
        low = d.between(5, 9)
        d.build.box((a, b), (-d.between(1.5, 3.5), deep - 1), (0, low), d.front(b - a, low), d.side(deep, low), d.stone)
    if d.chance(0.6):
        x, wide = d.between(-0.4, 0.4) * half, d.between(2, 3.5)
        d.build.box((x - wide, x + wide), (2, 2 + 2 * wide), (high, high + d.between(2, 7)), d.bare, d.bare, d.stone)
    return facade


def domed(d: Drawing) -> int:
    """A cube under a great dome on a drum, slender towers at its corners."""
    half, high = d.between(8, 11), d.between(10, 14)
    deep = 2 * half
    facade = d.block((-half, half), (0, deep), (0, high), door=True)
    radius, drum = half * d.between(0.5, 0.68), d.between(2, 4)
    d.build.frustum((0, half), (radius, high), (radius, high + drum), d.side(0.63 * radius, drum), 10)
    rise = radius * d.between(0.8, 1.3)
    d.build.dome((0, half), 1.06 * radius, high + drum, rise, d.roof)
    d.build.frustum((0, half), (0.25, high + drum + rise - 0.2), (0.05, high + drum + rise + 2.5), d.stone, 4)
    pair = [(-1, 0.1), (1, 0.1)] if d.chance(0.5) else [(-1, 0.1), (1, 0.1), (-1, 1), (1, 1)]
    if d.chance(0.75):
        slim, top = d.between(0.9, 1.4), high + d.between(2, 9)
        for x, y in pair:
            at = x * (half + 1.6), y * deep
            d.build.frustum(at, (1.15 * slim, 0), (0.9 * slim, top), d.bare, 6)
            d.build.frustum(at, (1.5 * slim, 0.7 * top), (1.5 * slim, 0.7 * top + 0.9), d.stone, 6, d.stone)
            d.build.frustum(at, (1.05 * slim, top), (0.02, top + 3.5 * slim), d.roof, 6)
    bay = half * d.between(0.3, 0.42)
    facade = (
        d.build.box((-bay, bay), (-2, 1), (0, high + 1.5), d.church(2 * bay, high + 1.5), d.bare, d.stone)
        if d.chance(0.5)
        else facade
    )
    return facade


def stepped(d: Drawing) -> int:
    """A tower of blocks, each narrower than the one below."""
    half, z = d.between(7, 10), 0.0
    facade = -1
    tiers = int(d.rng.integers(3, 5))
    deep = 2 * half
    for i in range(tiers):
        high = d.between(6, 12) * (0.85**i)
        inset = half * (1 - 0.72**i)
        number = d.block((-half + inset, half - inset), (0.6 * inset, deep - inset), (z, z + high), door=i == 0)
        facade = number if i == 0 else facade
        z += high
        if d.chance(0.6):
            wide = half - inset + 0.25
            d.build.box(
                (-wide, wide), (0.6 * inset - 0.25, deep - inset + 0.25), (z - 0.5, z + 0.2), d.stone, d.stone, d.stone
            )
    d.crown(0, deep / 2 - 0.2 * half, 0.25 * half, z)
    return facade


def works(d: Drawing) -> int:
    """A hall under a row of gables, with a chimney stack."""
    half, deep, high = d.between(9, 14), d.between(12, 16), d.between(6, 9)
    facade = d.block((-half, half), (0, deep), (0, high), door=True)
    bays = int(d.rng.integers(2, 5))
    span, rise = 2 * half / bays, d.between(2.4, 4)
    for i in range(bays):
        eaves = (-half + i * span, -half + (i + 1) * span), (0, deep), (high, high + rise)
        d.build.saddle(*eaves, d.roof, d.gable(span, rise))
    x = float(d.rng.choice([-1, 1])) * (half - 2)
    d.build.frustum((x, deep * 0.6), (1.7, 0), (1.0, high + d.between(9, 18)), d.bare, 8, d.stone)
    if d.chance(0.6):
        wide, at = d.between(2.5, 3.5), -x * d.between(0.3, 1.0)
        d.block((at - wide, at + wide), (-1.5, 2 * wide), (0, high + d.between(3, 7)))
    return facade


ARCHETYPES: dict[str, Callable[[Drawing], int]] = {
    f.__name__: f
    for f in (palace, church, tower, town_hall, temple, town_house, castle, glass_house, domed, stepped, works)
}
"""Every kind of building by name."""
