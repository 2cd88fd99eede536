"""Photographs of one hash, beside each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deepret.data.duplicates.prints import Prints


class Groups(NamedTuple):
    """Rows that have a hash, those of one hash beside each other, and where each hash begins, with the end."""

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @property
    def firsts(self) -> npt.NDArray[np.int64]:
        """The first row of each hash."""
        found: npt.NDArray[Any] = self.rows[self.starts[:-1]]
        return found

    @property
    def several(self) -> list[int]:
        """The hashes of more than one row."""
        return [int(place) for place in (np.diff(self.starts) > 1).nonzero()[0]]

    def group(self, place: int) -> list[int]:
        """The rows of a hash, in order."""
        return [int(row) for row in self.rows[self.starts[place] : self.starts[place + 1]]]


def grouped(found: Prints) -> Groups:
    """The rows that have a hash, by their hashes."""
    rows = found.hashed.nonzero()[0]
    words = found.bits[rows].view(np.uint64)
    order = np.lexsort(words.T)  # which leaves equal ones in their order
    new = (words[order][1:] != words[order][:-1]).any(axis=1).nonzero()[0] + 1
    return Groups(rows[order], np.concatenate([np.zeros(min(1, len(rows)), np.int64), new, [len(rows)]]))
