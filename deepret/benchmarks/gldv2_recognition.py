"""Google Landmarks v2, recognition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import PositiveInt

from deepret.benchmarks.completeness import Completeness, Published, completeness
from deepret.benchmarks.gldv2 import GLDv2
from deepret.benchmarks.ground_truth.landmarks import USAGES, Shown, landmark_of, read_solution, read_train
from deepret.benchmarks.metrics import global_average_precision
from deepret.benchmarks.result import Describe, Result
from deepret.benchmarks.searched import Index
from deepret.benchmarks.sources.predictions import Prediction, predict, read_predictions
from deepret.benchmarks.truth import Question, Truth

ROWS = 117_577
"""Queries of the published solution, those that are ignored among them."""
SHOWING = 1234
"""The least number of them that show a landmark: the paper says 1.1 in 100, which is 1.05 at least."""


class GLDv2Recognition(GLDv2):
    """Landmarks of the world: which one, if any, each of 117,577 photographs shows, as 1,580,470 others know them.

    - Source: https://github.com/cvdfoundation/google-landmark: recognition_solution_v2.1.csv, and train_clean.csv or
      train.csv, in ROOT; the photographs in ROOT/train and ROOT/test, in folders by the first characters of their ids.
    - Query rule: the whole photograph. Queries whose usage is Ignored are no queries.
    - Prediction: the landmark whose photographs among the nearest three have the largest sum of similarities, which is
      the confidence, as in the organisers' baseline of 2020; one for every query, since most show no landmark and a
      confidence is all that says so.
    - Figures: ``GAP``, global or micro average precision, of the private queries, and ``GAP public``: (1/M) Σ
      P(i)·rel(i) over all predictions, the most confident first and equally confident ones by the query's id, as the
      official program has it; M counts the queries that show a landmark, predicted or not. There is no mAP: where
      programs give a benchmark's main figure under that name, it is the private GAP.
    - Image size: the network's own.
    - Partial: one of the photographs for training, 4,132,914 with ``clean=false``, or of the queries, is missing, or
      fewer than 1,234 show a landmark. How many are ignored, private and public is not compared: the solution is
      believed.
    - Predictions of others: a submission, a CSV of id,landmarks with "landmark confidence", or a text file of query,
      landmark and confidence a line. A query without a prediction counts in M alone.

    Args:
        root: the folder of the published files.
        ranking: predictions to score, without any network.
        descriptors: codes to compare instead of photographs.
        queries: codes of the queries, where ``descriptors`` are those of the photographs for training.
        clean: whether the database is that of train_clean.csv, or all photographs of train.csv.
        neighbours: how many of the nearest photographs say what a query shows.
        index: gives an empty index to search with; none compares everything, exactly.
        download: whether what is missing of the published files below ``root`` is fetched first.

    Weyand et al., Google Landmarks Dataset v2, CVPR 2020.
    """

    name: ClassVar[str] = "gldv2_recognition"
    ranked: ClassVar[str] = "train"
    count: ClassVar[int] = 1_580_470
    unclean: ClassVar[int] = 4_132_914
    asked: ClassVar[int | None] = ROWS
    showing: ClassVar[int] = SHOWING
    """How many queries show a landmark, at least."""

    def __init__(
        self,
        root: str,
        ranking: str | None = None,
        descriptors: str | None = None,
        queries: str | None = None,
        clean: bool = True,
        neighbours: PositiveInt = 3,
        index: Callable[[], Index] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, ranking, descriptors, queries, index=index, download=download)
        self.clean = clean
        self.neighbours = neighbours

    def truth(self) -> Truth:
        """``recognition_solution_v2.1.csv`` and ``train_clean.csv`` or ``train.csv``.

        Raises:
            UserError: one of them is not there or cannot be read.
        """
        return self._truth(self._solution()[0], read_train(self.root, self.clean))

    def held_out(self, truth: Truth) -> dict[str, Path]:
        """Those of the queries: the others are there to be trained on."""
        asked = {question.image for question in truth.questions}
        return {name: path for name, path in self.files(truth).items() if name in asked}

    def evaluate(self, describe: Describe) -> Result:
        """Predicts a landmark for every query, or reads what others did, and scores that.

        Raises:
            UserError: files that are missing or cannot be read, codes that do not fit, or no query that is there and
                shows a landmark.
        """
        self.prepare()
        shown, ignored = self._solution()
        whole = sum(bool(one.answers) for one in shown) >= self.showing
        published = Published(
            count=self.count if self.clean else self.unclean,
            distractors=0,
            asked=(self.asked or 0) - (len(ignored) if whole else 0),
            usable=[(USAGES, self.showing)],
        )
        if self.ranking is None:
            return self._searched(describe, shown, published)
        found = read_predictions(self.ranking, {*(one.name for one in shown), *ignored})
        complete = completeness(self.name, published, _named((), shown), (), (), (), lambda _: True, published.count)
        return self._result(complete, shown, found, 0)

    def _searched(self, describe: Describe, shown: Sequence[Shown], published: Published) -> Result:
        """Predicts by the nearest photographs."""
        labels = read_train(self.root, self.clean)
        truth = self._truth(shown, labels)
        source = self.compared(describe, truth)
        database = source.database(truth)
        place = {name: position for position, name in enumerate(database)}
        asked = [i for i, question in enumerate(truth.questions) if source.has(question)]
        showing = [row for row, i in enumerate(asked) if shown[i].answers]
        if not showing or not database:
            raise self.none_usable(truth, source, len(database))
        questions = [truth.questions[i] for i in asked]
        scores, positions = source.nearest(questions, database, self.neighbours)
        numbers = torch.tensor([labels[name] for name in database])
        predicted = zip(questions, predict(scores, positions, numbers), strict=True)
        found = {question.name: prediction for question, prediction in predicted if prediction is not None}
        right = [{name for names in question.lists.values() for name in names} for question in truth.questions]
        named, positives = _named(truth.database, shown), set().union(*right)
        complete = completeness(self.name, published, named, positives, (), place, source.has, len(database))
        result = self._result(complete, [shown[i] for i in asked], found, len(database))
        result.queries, result.database = source.photos([questions[row] for row in showing], database)
        result.ranking = positions[torch.tensor(showing)]
        result.relevant = [{place[name] for name in right[asked[row]] if name in place} for row in showing]
        return result

    def _solution(self) -> tuple[list[Shown], set[str]]:
        """The queries by their ids, and those that are ignored."""
        path = self.root / "recognition_solution_v2.1.csv"
        shown, ignored = read_solution(path, "landmarks")
        for one in shown:
            for landmark in one.answers:
                landmark_of(landmark, one.where)
        return sorted(shown, key=lambda one: one.name), ignored

    def _truth(self, shown: Sequence[Shown], labels: Mapping[str, int]) -> Truth:
        """What is right for a query: the photographs of its landmarks."""
        members: dict[int, list[str]] = defaultdict(list)
        for name, landmark in labels.items():
            members[landmark].append(name)
        right = [[name for number in one.answers for name in members.get(int(number), ())] for one in shown]
        return Truth(list(labels), [_question(one, names) for one, names in zip(shown, right, strict=True)])

    def _result(
        self, complete: Completeness, shown: Sequence[Shown], found: Mapping[str, Prediction], database: int
    ) -> Result:
        """Scores predictions by query, those of queries that are asked, in the order of their ids."""
        right = [one.name in found and found[one.name].landmark in map(int, one.answers) for one in shown]
        metrics = {}
        for usage in USAGES:
            rows = [i for i, one in enumerate(shown) if one.usage == usage]
            metrics["GAP" if usage == USAGES[0] else f"GAP {usage}"] = global_average_precision(
                torch.tensor([found[shown[i].name].confidence for i in rows if shown[i].name in found]).double(),
                torch.tensor([right[i] for i in rows if shown[i].name in found], dtype=torch.bool),
                sum(bool(shown[i].answers) for i in rows),
            )
        showing = [i for i, one in enumerate(shown) if one.answers]
        return Result(
            benchmark=complete.title,
            metrics=metrics,
            counts={
                "queries": len(shown),
                "database": database,
                "with_landmark": len(showing),
                "predicted": sum(one.name in found for one in shown),
                **{f"missing_{kind}": count for kind, count in complete.missing.items()},
            },
            queries=[],
            database=[],
            ranking=torch.empty(0, 0, dtype=torch.int64),
            relevant=[],
            ap=torch.tensor([float(right[i]) for i in showing], dtype=torch.float64),
        )


def _named(database: Sequence[str], shown: Sequence[Shown]) -> Truth:
    """What a solution says, whether there are photographs of its landmarks or not."""
    return Truth(database, [_question(one, one.answers) for one in shown])


def _question(one: Shown, photographs: Sequence[str]) -> Question:
    lists: dict[str, Sequence[str]] = {usage: photographs if usage == one.usage else () for usage in USAGES}
    return Question(one.name, one.name, lists, where=one.where)
