"""What queries are said to show: one landmark each, with a confidence, from a file or from the nearest photographs."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from deepret.benchmarks.ground_truth.landmarks import landmark_of
from deepret.data.sets.lists import read_csv
from deepret.errors import UserError

WANTED = "Wanted: a submission as Kaggle takes it, with columns id and landmarks."
BLOCK = 4096
"""Queries whose neighbours are counted at once."""


@dataclass(frozen=True)
class Prediction:
    """What a query is said to show.

    Args:
        landmark: its number.
        confidence: the higher, the surer.
    """

    landmark: int
    confidence: float


def read_predictions(path: Path, known: Collection[str]) -> dict[str, Prediction]:
    """Predictions by query: a CSV of id,landmarks, as submissions are, or a text file, a query a line.

    What is predicted of a query is its landmark and a confidence, with a space between them, or nothing.

    Args:
        path: the file.
        known: the queries there are, those that are ignored among them.

    Raises:
        UserError: it cannot be read, a prediction that is none, a query that stands there twice or is none.
    """
    found: dict[str, Prediction] = {}
    seen: set[str] = set()
    for where, name, words in _lines(path):
        if name in seen:
            raise UserError(f"{where}: {name} has a prediction above already.")
        if name not in known:
            raise UserError(f"{where}: {name} is no query of the solution.")
        seen.add(name)
        if not words:
            continue
        if len(words) != 2:
            raise UserError(f"{where}: {' '.join(words)!r}; wanted: a landmark and its confidence, or nothing.")
        found[name] = Prediction(landmark_of(words[0], where), _confidence(words[1], where))
    if not seen:
        raise UserError(
            f"{path}: there is no prediction in it; wanted, a line a query: its name, landmark, confidence."
        )
    return found


def _lines(path: Path) -> list[tuple[str, str, list[str]]]:
    """Place, query and prediction of each line."""
    if path.suffix == ".csv":
        return [(where, name, words.split()) for where, (name, words) in read_csv(path, ("id", "landmarks"), WANTED)]
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}).") from None
    rows = [(f"{path}, line {number}", line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    return [(where, words[0], words[1:]) for where, words in rows]


def _confidence(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {word!r} is no confidence; wanted: a number.")
    return value


def predict(scores: Tensor, positions: Tensor, landmarks: Tensor) -> list[Prediction | None]:
    """The landmark whose photographs among the nearest are the most similar in sum, which is the confidence.

    Of landmarks with one sum it is that of the nearer photograph. None where nothing was found.

    Args:
        scores: (Q, k) float32, of the nearest photographs.
        positions: (Q, k) int64, theirs, the nearest first; below zero where there are no more.
        landmarks: (n,) int64, of the photographs.
    """
    found: list[Prediction | None] = []
    for similar, places in zip(torch.split(scores, BLOCK), torch.split(positions, BLOCK), strict=True):
        there = places >= 0
        own = landmarks[places.clamp(min=0)]
        same = (own[:, :, None] == own[:, None, :]) & there[:, None, :]
        sums = torch.where(same, similar.double()[:, None, :], 0.0).sum(2)
        best, which = torch.where(there, sums, -torch.inf).sort(dim=1, descending=True, stable=True)
        rows = zip(own.gather(1, which)[:, 0].tolist(), best[:, 0].tolist(), strict=True)
        found += [Prediction(landmark, total) if math.isfinite(total) else None for landmark, total in rows]
    return found
