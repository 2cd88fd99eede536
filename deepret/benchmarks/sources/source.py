"""What all sources of rankings can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from deepret.benchmarks.result import LISTED
from deepret.benchmarks.searched import Index, searched
from deepret.benchmarks.standing import Standing, stand
from deepret.benchmarks.truth import Question, Truth
from deepret.data.photo import Photo
from deepret.search.exact import ExactIndex

ASKED = 1024
"""Queries that an index is asked at a time."""


class Source(ABC):
    """Ranks a database for queries."""

    file: Path | None = None
    """Where the names of the queries are from, for messages; none where that is the ground truth."""
    added: int = 0
    """How many distractors are ranked beside the benchmark's own photographs."""

    @abstractmethod
    def database(self, truth: Truth) -> list[str]:
        """The names of what is ranked: the official photographs that are there, in their order, then what was added."""

    @abstractmethod
    def has(self, question: Question) -> bool:
        """Whether a query is there."""

    def whole(self, question: Question, database: Container[str]) -> bool:
        """Whether a query with a box is asked as the whole photograph that it is cut from."""
        return False

    @abstractmethod
    def stand(
        self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor], ignored: int = 0
    ) -> Standing:
        """Ranks the database.

        Args:
            questions: Q of them.
            database: names.
            matter: Q tables of the positions in the database whose ranks are wanted, int64, each once.
            ignored: how many of them are taken out of a query's ranking in any setting, at most.
        """

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """The photographs of queries and database; none where they are not known."""
        return [], []


def ranked(truth: Truth, there: Iterable[str]) -> list[str]:
    """The official names that are there, in their order; where there is no official list all but those of queries.

    Args:
        truth: the ground truth.
        there: names of all that can be ranked, in the order in which they are where none is official.
    """
    known = dict.fromkeys(there)
    if truth.database:
        return [name for name in truth.database if name in known]
    only_asked = {q.name for q in truth.questions} - {q.image for q in truth.questions} - truth.named()
    return [name for name in known if name not in only_asked]


class Compared(Source):
    """Ranks by the inner product of codes, exactly or as an index finds them.

    Args:
        index: gives an empty one; none compares everything.
    """

    def __init__(self, index: Callable[[], Index] | None = None) -> None:
        self.index = index

    @abstractmethod
    def codes(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
        """Codes (Q, D) of the queries, and tables (n, D) of the database's, one after the other; float32."""

    def stand(
        self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor], ignored: int = 0
    ) -> Standing:
        """Compares the codes."""
        queries, tables = self.codes(questions, database)
        if self.index is None:
            return stand(queries, tables, matter, ignored, k=LISTED)
        return searched(self.index(), queries, torch.cat(tables), matter, ignored, k=LISTED)

    def nearest(self, questions: Sequence[Question], database: Sequence[str], k: int) -> tuple[Tensor, Tensor]:
        """Scores and positions (Q, ≤ k) of each query's nearest, best first; a position below zero for none."""
        queries, tables = self.codes(questions, database)
        index = ExactIndex() if self.index is None else self.index()
        index.add(tables[0] if len(tables) == 1 else torch.cat(tables))
        blocks = tqdm(torch.split(queries, ASKED), unit=" blocks", desc="searching", disable=None, leave=False)
        scores, positions = zip(*(index.search(block, k) for block in blocks), strict=True)
        return torch.cat(scores).cpu(), torch.cat(positions).cpu()
