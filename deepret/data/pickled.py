"""Pickles of others, read without running anything."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from deepret.errors import UserError

ALLOWED = (
    *(("numpy", name) for name in ("ndarray", "dtype")),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
)
"""What a pickle of numbers, names, plain containers and arrays asks for, from numpy before 2 and since."""


class _Plain(pickle.Unpickler):
    """Reads plain containers, numbers, strings and arrays, and runs nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Lets arrays in alone."""
        if (module, name) == ("_codecs", "encode"):  # of protocol 2, for bytes
            return lambda text, _: str(text).encode("latin1")
        if (module, name) == ("__builtin__", "bytes"):  # of protocol 2, for none
            return lambda: b""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        core = "_core" if hasattr(np, "_core") else "core"
        return getattr(import_module(module.replace(".core", f".{core}").replace("._core", f".{core}")), name)


def read_pickle(path: Path) -> Any:
    """What a pickle of plain containers, numbers, strings and arrays holds.

    Raises:
        UserError: it cannot be read, or holds something else, of which nothing is run.
    """
    try:
        with path.open("rb") as file:
            return _Plain(file, encoding="latin1").load()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except Exception as error:  # a broken pickle raises anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: no pickle of plain lists and numbers ({said}); take the published file.") from None
