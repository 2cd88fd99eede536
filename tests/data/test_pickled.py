"""Pickles of others: plain lists and arrays come in, and nothing is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepret.data.pickled import read_pickle
from deepret.errors import UserError


class Runs:
    """A pickle of it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    path, made = tmp_path / "x.pkl", tmp_path / "made"
    for content in (Runs(made), {"gnd": [Runs(made)]}, np.array([Runs(made)])):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(UserError, match=r"x.pkl: no pickle of plain lists and numbers \(it asks for "):
            read_pickle(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="no pickle of plain lists"):
        read_pickle(path)
    with pytest.raises(UserError, match="No such file"):
        read_pickle(tmp_path / "none.pkl")
    assert not made.exists()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_numbers_are_let_in(tmp_path: Path, protocol: int) -> None:
    held = {"a": np.arange(3), "b": [1, 2.5, "x", None, np.float64(2), np.int64(3)], "c": np.zeros((0, 2))}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(held, protocol=protocol))
    found = read_pickle(tmp_path / "x.pkl")
    assert found["b"] == held["b"]
    assert all(np.array_equal(found[key], held[key]) for key in "ac")
