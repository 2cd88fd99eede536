"""Rankings of photographs that a network describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from deepret.benchmarks.result import Describe
from deepret.benchmarks.searched import Index
from deepret.benchmarks.sources.source import Compared, ranked
from deepret.benchmarks.truth import Question, Truth
from deepret.data.photo import Box, Photo, upright_size
from deepret.errors import UserError


class Photographs(Compared):
    """Photographs that are described.

    Args:
        files: where each of the benchmark's photographs is, by its name.
        describe: photographs → codes.
        index: gives an empty index to search with; none compares everything, exactly.
        distractors: photographs that are ranked beside them and are right for no query.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        describe: Describe,
        index: Callable[[], Index] | None = None,
        distractors: Sequence[Path] = (),
    ) -> None:
        super().__init__(index)
        self.distractors = {f"distractor {path}": path for path in distractors}
        self.added = len(self.distractors)
        self.files = {**files, **self.distractors}
        self.describe = describe

    def database(self, truth: Truth) -> list[str]:
        """The benchmark's photographs that are there, then the distractors; without those that only queries show."""
        return [*ranked(truth, sorted(self.files.keys() - self.distractors.keys())), *sorted(self.distractors)]

    def has(self, question: Question) -> bool:
        """Whether its photograph is there."""
        return question.image in self.files

    def photos(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[list[Photo], list[Photo]]:
        """Both, the queries cut to their boxes.

        Raises:
            UserError: a box outside its photograph.
        """
        paths = [self.files[question.image] for question in questions]
        boxes = [None if q.box is None else within(q, path) for q, path in zip(questions, paths, strict=True)]
        asked = [Photo(path, box) for path, box in zip(paths, boxes, strict=True)]
        return asked, [Photo(self.files[name]) for name in database]

    def codes(self, questions: Sequence[Question], database: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
        """Describes both."""
        asked, all_ranked = self.photos(questions, database)
        return self.describe(asked), [self.describe(all_ranked)]


def within(question: Question, path: Path) -> Box:
    """A query's box cut to its photograph; official ones reach less than a pixel beyond.

    Raises:
        UserError: it lies outside.
    """
    assert question.box is not None
    width, height = upright_size(path)
    x0, y0, x1, y1 = question.box
    inside = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    beyond = x0 < -1 or y0 < -1 or x1 > width + 1 or y1 > height + 1
    if beyond or inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise UserError(
            f"{question.where}: the box {x0:g} {y0:g} {x1:g} {y1:g} lies outside {path}, which is {width} × {height} "
            f"pixels: take the images at their original size."
        )
    return inside
