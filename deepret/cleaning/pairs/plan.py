"""Which pairs are compared: within each class, and across classes for what pairs of different things have in common."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK = 200
"""Pairs that are compared, and kept, together, about; seconds of work."""
TOGETHER = 6
"""Pairs across that are taken of two classes, so that it is seen whether both show one thing."""
CERTAIN = 5
"""Pairs across are so many that this many false links are expected among them: fewer would say little of a rate."""
ACROSS = -1
"""The class of a block of pairs of different classes."""


class Block(NamedTuple):
    """Pairs that are compared together: of photographs ``start`` to ``stop`` of a class, or pairs across."""

    group: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Plan:
    """Pairs to compare.

    Args:
        classes: rows of the catalogue, class by class, each of two at least.
        across: pairs of rows of different classes.
    """

    classes: list[list[int]]
    across: list[tuple[int, int]]

    def blocks(self, partners: Callable[[int], int | None]) -> list[Block]:
        """All blocks, those of one class beside each other.

        Args:
            partners: how many a photograph of a class of n is compared with; None for all.
        """
        found = []
        for group, rows in enumerate(self.classes):
            start, count, some = 0, 0, partners(len(rows))
            for i in range(len(rows)):
                count += len(rows) - 1 - i if some is None else some
                if count >= BLOCK or i == len(rows) - 1:
                    found.append(Block(group, start, i + 1))
                    start, count = i + 1, 0
        return found + [Block(ACROSS, i, min(i + BLOCK, len(self.across))) for i in range(0, len(self.across), BLOCK)]

    def pairs(self, block: Block, partners: Sequence[npt.NDArray[np.int64]] | None) -> list[tuple[int, int]]:
        """The pairs of rows of a block, each pair of a class in one block.

        Args:
            block: of this plan.
            partners: for each photograph of the class those that it is compared with; None for all.
        """
        if block.group == ACROSS:
            return self.across[block.start : block.stop]
        rows = self.classes[block.group]
        if partners is None:
            return [(rows[i], rows[j]) for i in range(block.start, block.stop) for j in range(i + 1, len(rows))]
        found = []
        for i in range(block.start, block.stop):
            for j in partners[i].tolist():
                theirs = partners[j]
                place = int(np.searchsorted(theirs, i))
                wanted_too = place < len(theirs) and theirs[place] == i
                if i < j or not wanted_too:  # of two that want each other the first has the pair
                    found.append((rows[min(i, j)], rows[max(i, j)]))
        return found


def rate_of_pairs(false_links: float, partners: int) -> float:
    """The share of pairs that may be linked by mistake, so that an image has ``false_links`` with all its partners."""
    return min(1.0, false_links / max(partners, 1))


def wanted_across(rates: Sequence[float], most: int) -> int:
    """How many pairs across show that the smallest rate is held; ``most`` at most."""
    return min(most, math.ceil(CERTAIN / min(rates))) if rates else 0


def draw_across(classes: Sequence[Sequence[int]], count: int, seed: int) -> list[tuple[int, int]]:
    """Pairs of rows of different classes, several of each two classes that are drawn, none twice.

    Args:
        classes: rows of each.
        count: pairs at most.
        seed: of the draw.
    """
    draw = random.Random(seed)
    small = sorted(map(len, classes))[:2]
    two = _two_classes(len(classes), math.ceil(count / max(1, min(TOGETHER, math.prod(small)))) + 1, draw)
    each = max(TOGETHER, math.ceil(count / len(two))) if two else 0
    found: list[tuple[int, int]] = []
    for a, b in two:
        size = len(classes[a]) * len(classes[b])
        for place in draw.sample(range(size), min(each, size)):
            i, j = classes[a][place // len(classes[b])], classes[b][place % len(classes[b])]
            found.append((min(i, j), max(i, j)))
    draw.shuffle(found)
    return sorted(found[:count])


def _two_classes(classes: int, count: int, draw: random.Random) -> list[tuple[int, int]]:
    """Unordered pairs of different classes, drawn without repetition; all where there are not more."""
    if classes * (classes - 1) // 2 <= count:
        return list(combinations(range(classes), 2))
    found: dict[tuple[int, int], None] = {}
    while len(found) < count:
        a, b = draw.sample(range(classes), 2)
        found[min(a, b), max(a, b)] = None
    return list(found)
