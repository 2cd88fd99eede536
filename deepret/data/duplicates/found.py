"""Pairs that were found once, kept, so that the same photographs are not compared again."""

from __future__ import annotations

import contextlib
import json
import os
from hashlib import sha256
from pathlib import Path

from deepret.data.check import stamp
from deepret.data.duplicates.prints import Prints
from deepret.errors import UserError
from deepret.files import write_whole

FORMAT = 3
"""Of the file, and of how pairs are confirmed; another one is not read."""
Row = tuple[int, int, int, float]
"""Of the first photographs and of the second, bits between their hashes, and how alike they are, 0…1."""


def kept_in(cache: Path, rules: str, *sides: Prints) -> Path:
    """The file of the pairs of some photographs, another one once a file of them has changed or moved.

    Args:
        cache: a folder.
        rules: what decides on a pair.
        sides: the photographs of each, in their order.
    """
    digest = sha256(f"{FORMAT} {rules} {[len(side) for side in sides]}".encode())
    for side in sides:
        digest.update(side.bits.tobytes())
        digest.update(side.hashed.tobytes())
        for path in map(side.path, range(len(side))):
            digest.update(os.fsencode(path.absolute()) + repr(stamp(path)).encode())
    return cache / "copies" / f"{digest.hexdigest()[:32]}.json"


def read_pairs(path: Path) -> list[Row] | None:
    """The pairs; None where they are not kept."""
    try:
        return [(int(i), int(j), int(bits), float(alike)) for i, j, bits, alike in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def write_pairs(path: Path, pairs: list[Row]) -> None:
    """Keeps them; where that fails, they are looked for again."""
    with contextlib.suppress(UserError):
        write_whole(path, json.dumps(pairs).encode())
