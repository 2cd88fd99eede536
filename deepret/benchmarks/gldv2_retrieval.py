"""Google Landmarks v2, retrieval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from deepret.benchmarks.gldv2 import GLDv2
from deepret.benchmarks.ground_truth.landmarks import SITE, USAGES, read_solution
from deepret.benchmarks.metrics import Ranks, average_precision_at
from deepret.benchmarks.result import Describe, Result
from deepret.benchmarks.sources.ranking_lines import text_lines
from deepret.benchmarks.sources.rankings import Rankings
from deepret.benchmarks.truth import Question, Truth, twice
from deepret.data.sets.lists import read_csv
from deepret.errors import UserError

WANTED = "Wanted: a submission as Kaggle takes it, with columns id and images."
SOLUTION = "retrieval_solution_v2.1.csv"
FIRST = 100
"""The k of mAP@k."""


class GLDv2Retrieval(GLDv2):
    """Landmarks of the world: 761,757 photographs, and 1,129 queries that show one of them.

    - Source: https://github.com/cvdfoundation/google-landmark: retrieval_solution_v2.1.csv and index.csv in ROOT, the
      photographs in ROOT/index and ROOT/test, in folders by the first characters of their ids.
    - Query rule: the whole photograph.
    - Positives: those that the solution lists. Ignored: nothing; queries whose usage is Ignored are no queries.
    - Figures: mAP@100, of the private queries, which ``mAP`` is, and of the public ones.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: one of the photographs, or of the queries, is missing.
    - Rankings are read as submissions have them: a CSV of id,images, a query's best first, or as everywhere. A query
      that has none counts as 0, as in the official program; ``unranked`` says how many.

    Weyand et al., Google Landmarks Dataset v2, CVPR 2020.
    """

    name: ClassVar[str] = "gldv2_retrieval"
    count: ClassVar[int] = 761_757
    asked: ClassVar[int | None] = 1129
    ranked: ClassVar[str] = "index"

    def truth(self) -> Truth:
        """``retrieval_solution_v2.1.csv`` and ``index.csv``.

        Raises:
            UserError: one of them is not there or cannot be read, or a listed photograph is not in the index.
        """
        listed = self.root / "index.csv"
        database = [name for _, (name,) in read_csv(listed, ("id",), SITE)]
        known = set(database)
        if (name := twice(database)) is not None:
            raise UserError(f"{listed}: {name} stands there twice.")
        questions = []
        for one in read_solution(self.root / SOLUTION, "images")[0]:
            for name in one.answers:
                if name not in known:
                    raise UserError(f"{one.where}: {name} is not in index.csv.")
            lists = {usage: one.answers if usage == one.usage else () for usage in USAGES}
            questions.append(Question(one.name, one.name, lists, where=one.where))
        return Truth(database, questions)

    def figures(self, ranks: Ranks, setting: str) -> dict[str, Tensor]:
        """mAP@100."""
        return {"mAP": average_precision_at(ranks, FIRST)}

    def evaluate(self, describe: Describe) -> Result:
        """As everywhere; of rankings in a file it says how many queries have ranked nothing."""
        found = super().evaluate(describe)
        if self.ranking is not None:
            found.counts["unranked"] = int((found.ranking < 0).all(dim=1).sum())
        return found

    def read_rankings(self, path: Path) -> Rankings:
        """A submission, or a text file; a query without a ranking has found nothing, as in the official program."""
        ignored = read_solution(self.root / SOLUTION, "images")[1]
        lines = (lambda: _lines(path)) if path.suffix == ".csv" else (lambda: text_lines(path))
        return Rankings(path, lines, beside=ignored, every=True)


def _lines(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Those of a submission."""
    for where, (query, names) in read_csv(path, ("id", "images"), WANTED):
        yield where, query, names.split()
