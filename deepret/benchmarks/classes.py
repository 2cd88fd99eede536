"""The protocol of metric learning: each photograph of the test classes asks for the others of its class."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from deepret.benchmarks.metrics import (
    Ranks,
    average_precision,
    average_precision_at_r,
    r_precision,
    recall_at,
)
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.truth import FETCHED, Question, Setting, Truth, plain, twice
from deepret.data.sets.lists import Lists
from deepret.errors import UserError


class Classes(Benchmark):
    """Leave one out among the photographs of classes that no training has seen."""

    settings: ClassVar[Mapping[str, Setting]] = {"": Setting(("others",), ("itself",))}
    site: ClassVar[str]
    """Where they are, and what is to be unpacked."""

    @abstractmethod
    def labelled(self) -> list[tuple[str, str]]:
        """Path below ``folder`` and class of each test photograph, in the official order.

        Raises:
            UserError: a list that is missing or cannot be read.
        """

    def truth(self) -> Truth:
        """From the lists of photographs and classes.

        Raises:
            UserError: a list that is missing or cannot be read, or that names a photograph twice.
        """
        members: dict[str, list[str]] = defaultdict(list)
        rows = [(plain(path), label) for path, label in self.labelled()]
        for name, label in rows:
            members[label].append(name)
        names = [name for name, _ in rows]
        if (again := twice(names)) is not None:
            raise UserError(f"benchmark={self.name}: the lists in {self.root} name {again} twice.")
        questions = [
            Question(name, name, {"others": [n for n in members[label] if n != name], "itself": (name,)})
            for name, label in rows
        ]
        return Truth(names, questions)

    def figures(self, ranks: Ranks, setting: str) -> dict[str, Tensor]:
        """Average precision, MAP@R, R-precision and recall@k."""
        return {
            "mAP": average_precision(ranks),
            "mAP@R": average_precision_at_r(ranks),
            "R-precision": r_precision(ranks),
            **{f"recall@{k}": recall_at(ranks, k) for k in self.recalls},
        }

    def remedy(self, folder: str) -> str:
        """What is to be unpacked there."""
        return f". {self.site}"

    @property
    def lists(self) -> Lists:
        """The published lists."""
        return Lists(self.root, "benchmark.root", self.site + FETCHED)
