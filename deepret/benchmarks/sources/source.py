"""What all sources of rankings can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from deepret.benchmarks.result import LISTED
from deepret.benchmarks.searched import Index, searched
from deepret.benchmarks.standing import Standing, stand
from deepret.benchmarks.truth import Question, Truth
from deepret.data.photo import Photo


class Source(ABC):
    """Ranks a database for queries."""

    @abstractmethod
    def database(self, truth: Truth) -> list[str]:
        """The names of what is ranked: the official photographs that are there, in their order, then all others."""

    @abstractmethod
    def has(self, question: Question) -> bool:
        """Whether a query is there."""

    @abstractmethod
    def stand(self, questions: Sequence[Question], database: Sequence[str], matter: Sequence[Tensor]) -> Standing:
        """Ranks the database.

        Args:
            questions: Q of them.
            database: names.
            matter: Q tables of the positions in the database whose ranks are wanted, int64, each once.
        """

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """The photographs of queries and database; none where they are not known."""
        return [], []


def ranked(truth: Truth, there: Iterable[str]) -> list[str]:
    """The official names that are there, in their order, then the others, but for those that only queries go by.

    Args:
        truth: the ground truth; where it has no official list, all names are others.
        there: names of all that can be ranked, in the order in which what is not official is.
    """
    known, official, images = dict.fromkeys(there), set(truth.database), {q.image for q in truth.questions}
    asked = {question.name for question in truth.questions}
    only_asked = (asked | images) - official if official else asked - images - truth.named()
    return [n for n in truth.database if n in known] + [n for n in known if n not in official and n not in only_asked]


def compare(
    queries: Tensor, database: Sequence[Tensor], matter: Sequence[Tensor], index: Callable[[], Index] | None
) -> Standing:
    """Ranks codes by inner product, exactly or by an index.

    Args:
        queries: (Q, D) float32.
        database: tables (n, D) float32, one after the other.
        matter: Q tables of positions whose ranks are wanted.
        index: gives an empty one; none compares everything.
    """
    if index is None:
        return stand(queries, database, matter, k=LISTED)
    return searched(index(), queries, torch.cat(list(database)), matter, k=LISTED)
