"""A class in pictures: its graph, and a grid of its photographs with boxes and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from deepret.cleaning.cleaned import CleanedClass
from deepret.cleaning.stages import Cleaned
from deepret.reports.cleaning.layout import RADIUS, layout
from deepret.reports.cleaning.thumbnails import FOLDER, address

MOST = 60
"""Photographs of a class that are drawn, in its graph and in its grid."""


@dataclass(frozen=True)
class Picture:
    """A photograph of the grid.

    Args:
        row: of the catalogue.
        name: its file's.
        path: as in the catalogue.
        src: the URL of its thumbnail.
        href: the URL of its file; None where none leads there.
        shown: width and height of its thumbnail.
        size: its own.
        first, last: x, y, width and height of its box before and after refinement; None where there is none.
        label: the new one where it is not the class's; the reason where it is dropped.
        kept: whether it is.
    """

    row: int
    name: str
    path: str
    src: str
    href: str | None
    shown: tuple[int, int]
    size: tuple[int, int]
    first: tuple[float, float, float, float] | None
    last: tuple[float, float, float, float] | None
    label: str
    kept: bool


@dataclass(frozen=True)
class Drawn:
    """A class that is drawn.

    Args:
        one: the class.
        pictures: of the grid, kept ones first.
        places: x and y of each in the graph.
        links: lines between them by their width, as SVG paths.
        size: width and height of the graph.
        kept, dropped: how many of each are not drawn.
    """

    one: CleanedClass
    pictures: list[Picture]
    places: list[tuple[float, float]]
    links: list[tuple[float, str]]
    size: tuple[float, float]
    kept: int
    dropped: int
    radius: int = RADIUS


def chosen(one: CleanedClass) -> list[int]:
    """The rows that are drawn of a class, kept ones first.

    Of either those with the most links, MOST / 2 at the most where the others need the rest.
    """
    links = Counter(one.verified.rows.ravel().tolist())
    kept = sorted(one.labels, key=lambda row: (-links[row], row))
    dropped = sorted((row for row in one.rows if row not in one.labels), key=lambda row: (-links[row], row))
    many = max(MOST // 2, MOST - len(dropped))
    some = kept[:many]
    return [*some, *dropped[: MOST - len(some)]]


def draw(
    found: Cleaned, one: CleanedClass, rows: Sequence[int], shown: Mapping[int, tuple[int, int]], folder: Path
) -> Drawn:
    """Draws a class.

    Args:
        found: what the set became.
        one: a class of it.
        rows: of its photographs those that are drawn.
        shown: width and height of thumbnails.
        folder: that of the page.
    """
    place = {row: i for i, row in enumerate(rows)}
    inside = np.isin(one.verified.rows, rows).all(axis=1)
    edges = [(place[a], place[b]) for a, b in one.verified.rows[inside].tolist()]
    places, width, height = layout(len(rows), edges)
    return Drawn(
        one=one,
        pictures=[picture(found, one, row, shown[row], folder) for row in rows],
        places=[(round(x, 1), round(y, 1)) for x, y in places.tolist()],
        links=lines(places, edges, one.verified.inliers[inside].tolist()),
        size=(round(width), round(height)),
        kept=len(one.labels) - sum(row in one.labels for row in rows),
        dropped=len(one.rows) - len(one.labels) - sum(row not in one.labels for row in rows),
    )


def picture(found: Cleaned, one: CleanedClass, row: int, shown: tuple[int, int], folder: Path) -> Picture:
    """A photograph of the grid; the arguments are those of ``draw``."""
    path, kept = found.catalogue.paths[row], row in one.labels
    label = one.labels[row] if kept else one.reasons.get(row, "")
    return Picture(
        row=row,
        name=PurePosixPath(path).name,
        path=path,
        src=f"{FOLDER}/{row}.jpg",
        href=address(found.catalogue.root / path, folder),
        shown=shown,
        size=found.catalogue.sizes[row],
        first=rectangle(found.boxes.first[row]) if kept else None,
        last=rectangle(found.boxes.last[row]) if kept else None,
        label=label if label != one.label else "",
        kept=kept,
    )


def rectangle(box: npt.NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """x, y, width and height of a box x0, y0, x1, y1; None where it has no numbers."""
    if not np.isfinite(box).all():
        return None
    x0, y0, x1, y1 = (round(v, 1) for v in box.tolist())
    return x0, y0, round(x1 - x0, 1), round(y1 - y0, 1)


def lines(
    places: npt.NDArray[np.float64], edges: Sequence[tuple[int, int]], inliers: Sequence[int]
) -> list[tuple[float, str]]:
    """Edges as SVG paths, those of one width together, thin ones first; √inliers / 5 wide, ½ to 6."""
    paths: dict[float, list[str]] = {}
    for (a, b), count in zip(edges, inliers, strict=True):
        width = min(max(round(2 * np.sqrt(count) / 5) / 2, 0.5), 6.0)
        (x0, y0), (x1, y1) = places[a], places[b]
        paths.setdefault(width, []).append(f"M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}")
    return [(width, "".join(paths[width])) for width in sorted(paths)]
