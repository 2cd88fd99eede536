"""Pickles of others, read without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deepret.data.pickles.values import Made, plain_values
from deepret.data.pickles.words import read_words
from deepret.errors import UserError

ROOM = 2**20
"""Bytes of arrays that may be there beside twice the file's length: short ones are written once and named again."""


def read_pickle(path: Path) -> Any:
    """What a pickle of plain containers, numbers, strings and arrays holds; an array of objects as a list.

    Raises:
        UserError: it cannot be read, or holds something else, of which nothing is run.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    try:
        return plain_values(read_words(data, Made), 2 * len(data) + ROOM)
    except Exception as error:  # a broken pickle raises anything
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{path}: no pickle of plain lists and numbers ({said}); take the published file.") from None


def names_in(held: Any) -> list[str]:
    """The names in a list, a tuple or an array.

    Raises:
        TypeError: it is something else, or holds something else.
    """
    if not isinstance(held, (list, tuple, np.ndarray)):
        raise TypeError(f"a {type(held).__name__} where a list of names should be")
    for name in held:
        if not isinstance(name, (str, bytes)):
            raise TypeError(f"a {type(name).__name__} where a name should be")
    return [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in held]
