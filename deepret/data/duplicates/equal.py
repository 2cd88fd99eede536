"""Flat photographs, which have no hash, that are the same file, byte by byte."""

from __future__ import annotations

from hashlib import sha256

from deepret.data import members
from deepret.data.duplicates.prints import Prints


def equal_files(first: Prints, second: Prints | None = None) -> list[tuple[int, int]]:
    """Rows of flat photographs of one content, each beside the first of its content on the other side.

    Args:
        first: n photographs.
        second: those that they are compared with; None compares the first with each other, i < j.
    """
    one = _by_content(first)
    if second is None:
        return [(rows[0], i) for rows in one.values() for i in rows[1:]]
    two = _by_content(second)
    found = []
    for content in one.keys() & two.keys():
        left, right = one[content], two[content]
        found += [*((left[0], j) for j in right), *((i, right[0]) for i in left[1:])]
    return sorted(found)


def _by_content(side: Prints) -> dict[bytes, list[int]]:
    """The flat rows of each content, in order; a file that has gone has none."""
    found: dict[bytes, list[int]] = {}
    for i in (~side.hashed).nonzero()[0].tolist():
        if i not in side.wrong:
            try:
                found.setdefault(sha256(members.content(side.path(i))).digest(), []).append(i)
            except OSError:
                continue
    return found
