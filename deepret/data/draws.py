"""Draws: one image of a batch, and the decks that they are dealt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draw:
    """One image of a batch.

    Args:
        index: row of the catalogue.
        epoch: epoch it is drawn in.
        draw: how often the epoch has drawn it before; with (seed, epoch, index) it decides the augmentation.
    """

    index: int
    epoch: int
    draw: int


class Deck:
    """Deals the numbers 0…n − 1 in random order, all of them before any comes again.

    A deal holds no number twice if there are enough; where one shuffle ends inside a deal, those of the next that the
    deal has already stay in the deck.
    """

    def __init__(self, size: int, random: np.random.Generator) -> None:
        self.size = size
        self.random = random
        self.left: list[int] = []

    def deal(self, count: int) -> list[int]:
        """The next ``count`` numbers."""
        dealt: list[int] = []
        while count - len(dealt) >= self.size > 0:
            dealt += self._next(self.size)
        return dealt + self._next(count - len(dealt))

    def _next(self, count: int) -> list[int]:
        dealt, self.left = self.left[:count], self.left[count:]
        if len(dealt) < count:
            fresh = self.random.permutation(self.size).tolist()
            there = set(dealt)
            others = [number for number in fresh if number not in there]
            dealt += others[: count - len(there)]
            there = set(dealt[len(there) :])
            self.left = [number for number in fresh if number not in there]
        return dealt


def counted(batch: Iterable[int], epoch: int, drawn: Counter[int]) -> list[Draw]:
    """The draws of a batch; ``drawn`` counts how often each row has come in this epoch."""
    draws = []
    for row in batch:
        draws.append(Draw(row, epoch, drawn[row]))
        drawn[row] += 1
    return draws
