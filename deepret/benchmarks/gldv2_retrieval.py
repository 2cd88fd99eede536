"""Google Landmarks v2, retrieval."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from deepret.benchmarks.metrics import Ranks, average_precision_at
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.sources.rankings import Rankings
from deepret.benchmarks.truth import Question, Setting, Truth
from deepret.errors import UserError

FIRST = 100
"""The k of mAP@k."""


class GLDv2Retrieval(Benchmark):
    """Landmarks of the world: 761,757 photographs, and 1,129 queries that show one of them.

    - Source: https://github.com/cvdfoundation/google-landmark: retrieval_solution_v2.1.csv and index.csv in ROOT, the
      photographs in ROOT/index and ROOT/test, in folders by the first characters of their ids.
    - Query rule: the whole photograph.
    - Positives: those that the solution lists. Ignored: nothing; queries whose usage is Ignored are no queries.
    - Figures: mAP@100, of the private queries, which ``mAP`` is, and of the public ones.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: one of the photographs, or of the queries, is missing.
    - Rankings are read as submissions have them: a CSV of id,images, a query's best first, or as everywhere.

    Weyand et al., Google Landmarks Dataset v2, CVPR 2020.
    """

    name: ClassVar[str] = "gldv2_retrieval"
    count: ClassVar[int] = 761_757
    asked: ClassVar[int | None] = 1129
    shared: ClassVar[bool] = True
    settings: ClassVar[Mapping[str, Setting]] = {"private": Setting(("private",)), "public": Setting(("public",))}

    def truth(self) -> Truth:
        """``retrieval_solution_v2.1.csv`` and ``index.csv``.

        Raises:
            UserError: one of them is not there or cannot be read, or a listed photograph is not in the index.
        """
        database = [row["id"] for row in read_csv(self.root / "index.csv", ("id",))]
        known, questions = set(database), []
        path = self.root / "retrieval_solution_v2.1.csv"
        for number, row in enumerate(read_csv(path, ("id", "images", "Usage")), start=2):
            usage, images = row["Usage"].lower(), row["images"].split()
            if usage == "ignored":
                continue
            if usage not in self.settings:
                raise UserError(f"{path}, line {number}: usage {row['Usage']!r}; wanted: Private, Public or Ignored.")
            for name in images:
                if name not in known:
                    raise UserError(f"{path}, line {number}: {name} is not in index.csv.")
            lists = {kind: images if kind == usage else [] for kind in self.settings}
            questions.append(Question(row["id"], row["id"], lists, where=f"{path}, line {number}"))
        if not questions:
            raise UserError(f"{path}: there is no query in it.")
        return Truth(database, questions)

    def figures(self, ranks: Ranks, setting: str) -> dict[str, Tensor]:
        """mAP@100."""
        return {"mAP": average_precision_at(ranks, FIRST)}

    def read_rankings(self, path: Path) -> Rankings:
        """A submission, or a text file."""
        if path.suffix != ".csv":
            return super().read_rankings(path)
        lists: dict[str, list[str]] = {}
        for number, row in enumerate(read_csv(path, ("id", "images")), start=2):
            names = row["images"].split()
            if row["id"] in lists:
                raise UserError(f"{path}, line {number}: {row['id']} has a ranking above already.")
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise UserError(f"{path}, line {number}: {twice} is ranked twice.")
            lists[row["id"]] = names
        return Rankings(lists, path)

    def name_of(self, path: Path, folder: Path) -> str:
        """Its id, whatever folder it lies in."""
        return path.stem

    def remedy(self, folder: str) -> str:
        """What is to be put there."""
        return ": put index and test of https://github.com/cvdfoundation/google-landmark there."


def read_csv(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file that has some columns, each value a string.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            rows = [{name: row[name] or "" for name in columns} for row in reader] if not missing else []
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"{path}: cannot be read ({why}); https://github.com/cvdfoundation/google-landmark has it."
        ) from None
    if missing:
        raise UserError(f"{path}: it has no column {', '.join(missing)}.")
    return rows
