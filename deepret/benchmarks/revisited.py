"""The protocol of the revisited benchmarks: easy, medium and hard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from deepret.benchmarks.ground_truth.pickled import read_revisited
from deepret.benchmarks.metrics import Ranks, average_precision, precision_at
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.truth import FETCHED, Setting, Truth
from deepret.errors import UserError

PLACES = (1, 5, 10)
"""The k of mP@k."""


class Revisited(Benchmark):
    """Landmarks of one city, whose answers are easy, hard or junk; queries are no part of the database."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "medium": Setting(("easy", "hard"), ("junk",)),
        "easy": Setting(("easy",), ("junk", "hard")),
        "hard": Setting(("hard",), ("junk", "easy")),
    }
    folder: ClassVar[str] = "jpg"
    asked: ClassVar[int | None] = 70
    site: ClassVar[str]
    """Where the photographs are."""

    def truth(self) -> Truth:
        """``gnd_NAME.pkl``.

        Raises:
            UserError: it is not there, or cannot be read.
        """
        path = self.root / f"gnd_{self.name}.pkl"
        if not path.is_file():
            raise UserError(
                f"benchmark.root={self.root}: there is no {path.name} in it, the ground truth that "
                f"http://cmp.felk.cvut.cz/revisitop has.{FETCHED}"
            )
        return read_revisited(path, ("easy", "hard", "junk"))

    def figures(self, ranks: Ranks, setting: str) -> dict[str, Tensor]:
        """Average precision and mP@1, 5 and 10, of the queries that have a positive."""
        return {"mAP": average_precision(ranks), **{f"mP@{k}": precision_at(ranks, k) for k in PLACES}}

    def name_of(self, path: Path, folder: Path) -> str:
        """Its file's name, whatever folder it lies in."""
        return path.stem

    def remedy(self, folder: str) -> str:
        """What is to be put there."""
        return f". Put the photographs of {self.site} into it."
