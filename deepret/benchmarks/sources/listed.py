"""Rankings that were read, and what is kept of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepret.benchmarks.sources.source import Source
from deepret.benchmarks.standing import ABSENT, Standing, padded
from deepret.benchmarks.truth import Question, Truth


@dataclass(frozen=True)
class Kept:
    """What is kept of one ranking: where the photographs stand that some list of the query names, and its beginning.

    Args:
        rows: (m,) int32, positions in the database, ascending.
        ranks: (m,) int32, from 0; ``ABSENT`` where they are not ranked.
        first: (≤ 100 + m,) int32, the first positions.
    """

    rows: np.ndarray
    ranks: np.ndarray
    first: np.ndarray


class Listed(Source):
    """Rankings that were read; what they leave out is not found.

    Args:
        path: the file, for messages.
        names: the names of the database.
        kept: what is kept of each query's ranking, by its name.
        count: how many photographs were ranked, where they have not all a name.
        added: how many of them are distractors.
        every: whether a query without a ranking has found nothing, in place of not being asked.
    """

    def __init__(
        self, path: Path, names: list[str], kept: Mapping[str, Kept], count: int, added: int, every: bool
    ) -> None:
        self.file = path
        self.names = names
        self.kept = kept
        self.count = count
        self.added = added
        self.every = every

    def database(self, truth: Truth) -> list[str]:
        """The official photographs, or all that are ranked where the ground truth names only some; then distractors."""
        return self.names

    def has(self, question: Question) -> bool:
        """Whether its ranking is there, under its own name or its photograph's."""
        return self.every or question.name in self.kept or question.image in self.kept

    def stand(
        self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor], ignored: int = 0
    ) -> Standing:
        """Looks up where images stand."""
        lists, ranks = [], [torch.empty(0, dtype=torch.int64)]
        for question, wanted in zip(questions, matter, strict=True):
            kept = self.kept.get(question.name, self.kept.get(question.image))
            if kept is None:
                lists.append(torch.empty(0, dtype=torch.int64))
                ranks.append(torch.full((len(wanted),), ABSENT))
                continue
            lists.append(torch.from_numpy(kept.first))
            ranks.append(torch.from_numpy(kept.ranks[np.searchsorted(kept.rows, wanted.numpy())]).long())
        return Standing.of(max(len(database), self.count), matter, torch.cat(ranks), padded(lists))


def moved(kept: Mapping[str, Kept], rows: np.ndarray) -> dict[str, Kept]:
    """The same where the database is ordered anew, its rows (n,) as given; what lists name keeps its order."""
    position = np.empty_like(rows)
    position[rows] = np.arange(len(rows), dtype=np.int32)
    return {q: replace(one, rows=position[one.rows], first=position[one.first]) for q, one in kept.items()}
