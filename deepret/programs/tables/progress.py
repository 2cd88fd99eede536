"""A bar over cells with the time that is left, which goes by how much each has to look at."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from deepret.parts import locate
from deepret.programs.tables.cells import Cell
from deepret.programs.tables.composed import Composer
from deepret.programs.tables.rows import Row, experiment_of

KEPT, AGAIN = 0.1, 0.01
"""What it costs to describe a photograph whose maps are kept, and one whose code is there, to one that is new."""
SLOW = {"triangulation64_sift": 4.0}
"""Experiments whose aggregation takes longer than all that is before it, and what it costs, beside a new photograph."""


class Progress:
    """A bar over all cells with the time that is left, or on no terminal a line for each.

    What is left of a row that is begun goes by its own pace, and other rows by that of all until now: a photograph
    takes one descriptor a hundred times as long as another.

    Args:
        weights: how much work each of the cells is that are to be measured.
    """

    def __init__(self, weights: Mapping[Cell, float]) -> None:
        self.bar = tqdm(total=len(weights), unit=" cells", disable=None)
        self.weights = weights
        self.left = dict(weights)
        self.done = 0.0
        self.took: dict[Row, tuple[float, float]] = {}
        self.start = time.perf_counter()

    def row(self, row: Row, cells: Sequence[Cell]) -> None:
        """Says, where there is no bar, of which row what is measured now."""
        if self.bar.disable:
            names = dict.fromkeys("time" if cell.column is None else cell.column.name for cell in cells)
            print(f"{row.name}: {', '.join(names)} …", flush=True)

    def begin(self, cell: Cell) -> None:
        """Says what is measured now."""
        self.bar.set_description(called(cell))

    def end(self, said: str, cells: Sequence[Cell], seconds: float | None = None) -> None:
        """Says what has come of cells.

        Args:
            said: a line.
            cells: which it is about.
            seconds: what measuring them took; None where they were not.
        """
        for cell in cells:
            self.left.pop(cell)
            if seconds is not None:
                self.done += self.weights[cell]
                work, took = self.took.get(cell.row, (0.0, 0.0))
                self.took[cell.row] = work + self.weights[cell], took + seconds / len(cells)
        self.bar.update(len(cells))
        known = f"about {self.seconds_left() / 60:.0f} min left" if self.done else "nothing is measured yet"
        count, total = len(self.weights) - len(self.left), len(self.weights)
        tqdm.write(f"[{count} of {total}, {known}] {said}")

    def seconds_left(self) -> float:
        """How long what is left will take."""
        usual = (time.perf_counter() - self.start) / self.done if self.done else 0.0
        own = {row: took / work for row, (work, took) in self.took.items()}
        return sum(work * own.get(cell.row, usual) for cell, work in self.left.items())


def called(cell: Cell) -> str:
    """A cell's name without its digest."""
    return cell.name.rpartition(" [")[0]


def weights_of(cells: Sequence[Cell], composer: Composer, train: int, timed: int) -> dict[Cell, float]:
    """How much work cells are, in photographs that the backbone has to see.

    The first of each row and column describes the column's photographs in all views; where maps are kept, those that
    another row has left serve. The others have codes already, but for the first that a PCA is fitted for. What an
    aggregation costs is known of few experiments; of others it counts as nothing.

    Args:
        cells: in the order in which they are measured.
        composer: makes the rows' configurations.
        train: photographs that a PCA may be fitted on.
        timed: photographs that the time of one is measured on.
    """
    found: dict[Cell, float] = {}
    described: set[tuple[Row, str]] = set()
    mapped: set[tuple[str, str]] = set()
    reduced: set[Row] = set()
    for cell in cells:
        config = composer.config(cell.row, cell.more)
        views, slow = views_of(config), SLOW.get(experiment_of(cell.row.words), 0.0)
        if cell.column is None:
            found[cell] = (2 * timed + 1) * views * (1 + slow)
            continue
        maps = repr((cell.row.checkpoint, config["backbone"], config["input"]))
        kept = mapped if config.get("keep_maps") else set()
        images, name = max(cell.column.looked_at, 1) * views, cell.column.name
        again = (cell.row, name) in described
        found[cell] = AGAIN * images if again else slow * images + _looked(images, (maps, name), kept)
        described.add((cell.row, name))
        if cell.kind == "reduced" and not (cell.row in reduced or ordered(config)):
            fitted = min(train, config["stages"]["fit_images"]) * views
            found[cell] += slow * fitted + _looked(fitted, (maps, "what a PCA is fitted on"), kept)
            reduced.add(cell.row)
    return found


def _looked(images: float, maps: tuple[str, str], kept: set[tuple[str, str]]) -> float:
    """The work of a look at photographs, whose maps are among those that are kept from then on."""
    work = images * (KEPT if maps in kept else 1)
    kept.add(maps)
    return work


def ordered(config: Mapping[str, Any]) -> bool:
    """Whether a row's head is a PCA itself, whose first components are taken without another."""
    return bool(getattr(locate(config["head"]["_target_"]), "ordered", False))


def views_of(config: Mapping[str, Any]) -> float:
    """How many images of the usual size a photograph is seen in, one of a scale s counting s²."""
    node = config["input"]
    return float(sum(scale**2 for scale in node.get("scales") or [1.0]) * (2 if node.get("flip") else 1))
