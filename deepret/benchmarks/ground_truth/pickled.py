"""Ground truth as the revisited benchmarks publish it: a pickle of names, and of positions in them for each query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepret.benchmarks.truth import Question, Truth, plain, twice
from deepret.data.pickles.read import names_in, read_pickle
from deepret.errors import UserError


def read_revisited(path: Path, kinds: Sequence[str]) -> Truth:
    """Reads ``imlist``, ``qimlist`` and ``gnd``, a box and lists of positions for each query.

    Args:
        path: the pickle.
        kinds: the lists that each query has.

    Raises:
        UserError: a file that is something else, positions beyond the names or counted from 1, or a box that is none.
    """
    found = read_pickle(path)
    try:
        names, queries = ([plain(name) for name in names_in(found[key])] for key in ("imlist", "qimlist"))
        truth = list(found["gnd"])
        lists = [{kind: _positions(entry[kind]) for kind in kinds} for entry in truth]
        boxes = [tuple(_numbers(entry["bbx"]).astype(float).tolist()) for entry in truth]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        wanted = f"imlist, qimlist and gnd with bbx, {', '.join(kinds)}"
        raise UserError(f"{path}: it does not hold {wanted} ({type(error).__name__}: {error}).") from None
    if len(queries) != len(truth):
        raise UserError(f"{path}: {len(queries)} queries in qimlist, and {len(truth)} entries in gnd.")
    if (again := twice(names)) is not None:
        raise UserError(f"{path}: imlist has {again} twice.")
    if (again := twice(f"{query} {box}" for query, box in zip(queries, boxes, strict=True))) is not None:
        raise UserError(f"{path}: the query {again} stands there twice.")
    _check_positions(path, lists, len(names))
    questions = []
    for number, (query, entry, box) in enumerate(zip(queries, lists, boxes, strict=True)):
        where = f"{path}, query {number} ({query})"
        if len(box) != 4 or not all(map(math.isfinite, box)) or box[0] >= box[2] or box[1] >= box[3]:
            raise UserError(f"{where}: bbx {list(box)} is no box x0, y0, x1, y1.")
        kept = {kind: [names[i] for i in positions] for kind, positions in entry.items()}
        if (again := twice(name for group in kept.values() for name in group)) is not None:
            raise UserError(f"{where}: {again} stands in its lists twice.")
        questions.append(Question(query, query, kept, (box[0], box[1], box[2], box[3]), where))
    return Truth(names, questions)


def _numbers(held: Any) -> np.ndarray[Any, Any]:
    """A list of numbers, as it is."""
    _check_numbers(held)
    found = np.asarray(held).ravel()
    if len(found) and found.dtype.kind not in "iuf":
        raise ValueError(f"{found.dtype.name} where numbers should be")
    return found


def _check_numbers(held: Any) -> None:
    """Refuses names within lists before numpy makes room for the longest at each place."""
    for value in held if isinstance(held, (list, tuple)) else ():
        if isinstance(value, (str, bytes, bytearray)):
            raise ValueError(f"{type(value).__name__} where numbers should be")
        _check_numbers(value)


def _positions(held: Any) -> np.ndarray[Any, Any]:
    """A list of whole numbers, int64; fractions are refused."""
    found = _numbers(held)
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.int64)
    if (wrong := found[whole != found]).size:
        raise ValueError(f"{wrong[0]} where a position should be")
    return whole


def _check_positions(path: Path, lists: Sequence[dict[str, np.ndarray[Any, Any]]], count: int) -> None:
    every = np.concatenate([positions for entry in lists for positions in entry.values()] or [np.zeros(0, np.int64)])
    if not len(every) or (every.min() >= 0 and every.max() < count):
        return
    if every.min() >= 1 and every.max() == count:
        raise UserError(
            f"{path}: positions run from 1 to {count:,}, as Matlab counts; in imlist they run from 0 to {count - 1:,}: "
            f"take the published pickle, or subtract 1."
        )
    wrong = int(every[(every < 0) | (every >= count)][0])
    raise UserError(f"{path}: position {wrong:,} is not in imlist, which has {count:,} names.")
