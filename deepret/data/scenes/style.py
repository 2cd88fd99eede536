"""How one building looks: its masonry, windows and roof, taken from kits that several classes share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepret.data.scenes.canvas import Colour, stream
from deepret.data.scenes.texture import ROOF_COLOURS, ROOFS, Roof, Wall
from deepret.data.scenes.windows import Hood, Shape, Window

_MASONRY: list[tuple[Wall, Colour, Colour]] = [
    ("ashlar", (206, 186, 148), (150, 132, 104)),
    ("ashlar", (176, 172, 162), (120, 118, 112)),
    ("ashlar", (222, 214, 198), (168, 160, 146)),
    ("brick", (158, 86, 64), (196, 180, 160)),
    ("brick", (176, 120, 78), (206, 196, 176)),
    ("brick", (126, 70, 60), (176, 162, 150)),
    ("brick", (206, 180, 128), (170, 150, 116)),
    ("rubble", (164, 152, 132), (112, 102, 90)),
    ("rubble", (132, 128, 124), (172, 166, 156)),
    ("plaster", (216, 178, 108), (160, 130, 80)),
    ("plaster", (214, 158, 138), (160, 110, 96)),
    ("plaster", (168, 186, 194), (120, 136, 146)),
    ("plaster", (232, 228, 214), (170, 166, 156)),
    ("plaster", (170, 186, 154), (120, 136, 108)),
    ("banded", (168, 92, 68), (222, 206, 176)),
    ("banded", (216, 206, 188), (96, 110, 112)),
    ("panels", (186, 180, 170), (110, 108, 104)),
    ("timber", (226, 214, 190), (82, 58, 44)),
    ("timber", (206, 182, 142), (104, 64, 48)),
]
_TRIMS: list[Colour] = [
    (224, 214, 194),
    (196, 182, 154),
    (236, 232, 224),
    (150, 142, 132),
    (178, 104, 82),
    (120, 116, 114),
]
_FRAMES: list[Colour] = [(238, 236, 228), (92, 66, 48), (58, 72, 62), (48, 50, 54), (150, 60, 52), (196, 188, 168)]
_ACCENTS: list[Colour] = [
    (74, 104, 84),
    (66, 92, 128),
    (136, 52, 46),
    (112, 84, 58),
    (196, 160, 84),
    (92, 96, 102),
    (44, 120, 124),
]
_SHAPES: tuple[Shape, ...] = ("square", "round", "pointed", "flat_arch")
_HOODS: tuple[Hood, ...] = ("none", "lintel", "gable", "bow", "keystone")


@dataclass(frozen=True)
class Style:
    """The look of a building; colours are red, green, blue, 0 to 255, and lengths metres."""

    wall: Wall
    colour: Colour
    joint: Colour
    trim: Colour
    frame: Colour
    accent: Colour
    leaf: Colour
    roof: Roof
    roof_colour: Colour
    main: Window
    ground: Window
    top: Window
    storey: float
    bay: float
    quoins: bool
    pilasters: bool
    strings: bool
    plinth: float
    wear: float
    sign: float
    ornament: float
    banner: float
    painted: float


def _vary(colour: Colour, amount: float, rng: np.random.Generator) -> Colour:
    shift = rng.normal(0, amount, 3) + rng.normal(0, amount)
    return tuple(float(c) for c in np.clip(np.asarray(colour) + shift, 20, 245))


def _window(rng: np.random.Generator) -> Window:
    """A window of the main storeys."""
    shape = _SHAPES[int(rng.choice(4, p=(0.4, 0.25, 0.15, 0.2)))]
    width = float(rng.uniform(0.95, 1.7))
    return Window(
        shape=shape,
        width=width,
        height=float(np.clip(width * rng.uniform(1.2, 2.2), 1.3, 2.5)),
        columns=int(rng.integers(1, 4)),
        rows=int(rng.integers(1, 5)),
        surround=float(rng.choice([0.0, 0.15, 0.25])),
        hood=_HOODS[int(rng.integers(5))] if shape in ("square", "flat_arch") else "none",
        shutters=bool(shape in ("square", "flat_arch") and rng.random() < 0.3),
        twin=bool(width > 1.3 and rng.random() < 0.3),
    )


def draw_style(seed: int, group: str, masonry: int, windows: int, crown: int, rng: np.random.Generator) -> Style:
    """A style of three kits, with small changes of its own.

    Args:
        seed: of the whole set.
        group: buildings of one group share kits.
        masonry: number of the kit that gives wall and colours.
        windows: number of the kit that gives the windows.
        crown: number of the kit that gives the roof.
        rng: for what the building has to itself.
    """
    stone, glass, top = (
        stream(seed, group, part, kit) for part, kit in (("stone", masonry), ("glass", windows), ("roof", crown))
    )
    wall, colour, joint = _MASONRY[int(stone.integers(len(_MASONRY)))]
    trim = _TRIMS[int(stone.integers(len(_TRIMS)))]
    main = _window(glass)
    roof: Roof = ROOFS[int(top.integers(len(ROOFS)))]
    ground: Shape = "round" if glass.random() < 0.4 else main.shape
    return Style(
        wall=wall,
        colour=_vary(colour, 7, rng),
        joint=joint,
        trim=_vary(trim, 5, rng),
        frame=_FRAMES[int(glass.integers(len(_FRAMES)))],
        accent=_ACCENTS[int(glass.integers(len(_ACCENTS)))],
        leaf=_vary(_ACCENTS[int(rng.integers(len(_ACCENTS)))], 8, rng),
        roof=roof,
        roof_colour=_vary(ROOF_COLOURS[roof], 10, top),
        main=main,
        ground=Window(ground, main.width * 1.2, min(2.5, main.height * 1.1), main.columns, main.rows, main.surround),
        top=Window("circle", 1.2, 1.2, 2, 1, 0.2)
        if glass.random() < 0.15
        else Window("square", main.width * 0.85, 1.3, 2, 1, main.surround),
        storey=float(rng.uniform(3.4, 4.3)),
        bay=float(max(main.width * (2.1 if main.shutters else 1.9), rng.uniform(3.0, 4.6))),
        quoins=bool(stone.random() < 0.4),
        pilasters=bool(stone.random() < 0.3),
        strings=bool(stone.random() < 0.6),
        plinth=float(stone.choice([0.6, 1.0, 4.0])),
        wear=float(rng.uniform(0.15, 0.7)),
        sign=float(rng.uniform(0.2, 1.0)),
        ornament=float(rng.uniform(0.1, 0.9)),
        banner=float(rng.uniform(0.0, 0.6)),
        painted=float(rng.uniform(0.75, 1.0)),
    )
