"""A bar over cells with the time that is left, which goes by how much each has to look at."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from deepret.programs.tables.cells import Cell
from deepret.programs.tables.composed import Composer
from deepret.programs.tables.rows import Row

KEPT, AGAIN = 0.1, 0.01
"""What it costs to describe a photograph whose maps are kept, and one whose code is there, to one that is new."""


class Progress:
    """A bar over all cells with the time that is left, or on no terminal a line for each.

    Args:
        weights: how much work each of the cells is that are to be measured, by their names.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.bar = tqdm(total=len(weights), unit=" cells", disable=None)
        self.weights = weights
        self.total = sum(weights.values())
        self.done = 0.0
        self.count = 0
        self.start = time.perf_counter()

    def row(self, row: Row, cells: Sequence[Cell]) -> None:
        """Says, where there is no bar, of which row what is measured now."""
        if self.bar.disable:
            names = dict.fromkeys("time" if cell.column is None else cell.column.name for cell in cells)
            print(f"{row.name}: {', '.join(names)} …", flush=True)

    def begin(self, cell: Cell) -> None:
        """Says what is measured now."""
        self.bar.set_description(called(cell))

    def end(self, said: str, cells: Sequence[Cell]) -> None:
        """Says what has come of cells.

        Args:
            said: a line.
            cells: which it is about.
        """
        self.done += sum(self.weights[cell.name] for cell in cells)
        self.count += len(cells)
        self.bar.update(len(cells))
        left = (time.perf_counter() - self.start) * (self.total - self.done) / self.done / 60
        tqdm.write(f"[{self.count} of {len(self.weights)}, about {left:.0f} min left] {said}")


def called(cell: Cell) -> str:
    """A cell's name without its digest."""
    return cell.name.rpartition(" [")[0]


def weights_of(cells: Sequence[Cell], composer: Composer, timed: int) -> dict[str, float]:
    """How much work cells are, in photographs that the backbone has to see.

    The first of each row and column describes the column's photographs in all views; where maps are kept, those that
    another row has left serve. The others have codes already.

    Args:
        cells: in the order in which they are measured.
        composer: makes the rows' configurations.
        timed: photographs that the time of one is measured on.
    """
    found: dict[str, float] = {}
    described, mapped = set(), set()
    for cell in cells:
        config = composer.config(cell.row, cell.more)
        views = views_of(config)
        if cell.column is None:
            found[cell.name] = float(2 * timed + 1) * views
            continue
        work = max(cell.column.looked_at, 1) * views
        maps = repr((cell.row.checkpoint, config["backbone"], config["input"], cell.column.name))
        if (cell.row, cell.column.name) in described:
            work *= AGAIN
        elif config.get("keep_maps") and maps in mapped:
            work *= KEPT
        found[cell.name] = work
        described.add((cell.row, cell.column.name))
        mapped.add(maps)
    return found


def views_of(config: Mapping[str, Any]) -> float:
    """How many images of the usual size a photograph is seen in, one of a scale s counting s²."""
    node = config["input"]
    return float(sum(scale**2 for scale in node.get("scales") or [1.0]) * (2 if node.get("flip") else 1))
