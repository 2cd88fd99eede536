"""What all benchmarks with a ground truth of their own have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from deepret.benchmarks.completeness import Completeness, Published, completeness
from deepret.benchmarks.distractors import names_of, photographs_of
from deepret.benchmarks.metrics import Ranks, average_precision, recall_at
from deepret.benchmarks.result import LISTED, Describe, Result
from deepret.benchmarks.searched import Index
from deepret.benchmarks.sources.descriptors import Descriptors
from deepret.benchmarks.sources.photographs import Photographs
from deepret.benchmarks.sources.rankings import Rankings, read_rankings
from deepret.benchmarks.sources.source import Compared, Source
from deepret.benchmarks.standing import most
from deepret.benchmarks.truth import FETCHED, Setting, Truth, plain
from deepret.data.download.official import fetch_set
from deepret.data.folder import images_below
from deepret.errors import UserError

Lists = Mapping[str, Sequence[Tensor]]
"""Of each kind of photographs, a table of positions in the database for each query."""


class Benchmark(ABC):
    """Asks a benchmark's queries and says what the answers are worth.

    A query is left out where it is not there itself, or none of its positives is; where a protocol divides by all
    queries, one that a file of rankings leaves out counts as 0. Where the ground truth lists the
    database, nothing else in the folder or in a file of codes is ranked. Equal scores rank by position: the official
    order of the database, then the names of what was added.

    Args:
        root: the folder of the published files.
        ranking: a text file of rankings to score instead of describing photographs: a query a line, its name, then the
            ranked names, best first, each followed by a score or not.
        descriptors: codes to score instead, ``NAME.npy`` with the names in ``NAME.txt``, or ``.safetensors``.
        queries: codes of the queries, where ``descriptors`` are those of the database.
        distractors: more photographs that are right for no query: a folder of them or a list; with ``descriptors`` a
            ``.npy`` of their codes.
        index: gives an empty index to search with; none compares everything, exactly.
        download: whether what is missing of the published files below ``root`` is fetched first.
    """

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, Setting]]
    """What counts, by name; the first one's figures are the benchmark's."""
    folder: ClassVar[str] = "."
    """Where the photographs are, below the root."""
    count: ClassVar[int]
    """How many photographs are published to be ranked."""
    asked: ClassVar[int | None] = None
    """How many queries are published; None where every photograph is one."""
    without: ClassVar[Mapping[str, int]] = {}
    """How many of the published queries have no positive, by setting; none where it is not there."""
    recalls: ClassVar[Sequence[int]] = (1, 5, 10)
    """The k of recall@k, beside the official figures."""
    enlarged: ClassVar[tuple[str, int]] = ("", 0)
    """The name with all published distractors, and how many there are."""

    def __init__(
        self,
        root: str,
        ranking: str | None = None,
        descriptors: str | None = None,
        queries: str | None = None,
        distractors: str | None = None,
        index: Callable[[], Index] | None = None,
        download: bool = False,
    ) -> None:
        self.root = Path(root).expanduser()
        self.ranking, self.descriptors, self.queries, self.distractors = map(
            _path, (ranking, descriptors, queries, distractors)
        )
        self.index = index
        self.download = download

    @abstractmethod
    def truth(self) -> Truth:
        """What is asked and what is right.

        Raises:
            UserError: files that are missing or cannot be read.
        """

    def figures(self, ranks: Ranks, setting: str) -> dict[str, Tensor]:
        """Each query's figures (Q,), not a number where it has none; their means are the benchmark's."""
        recalls = {f"recall@{k}": recall_at(ranks, k) for k in self.recalls}
        return {"mAP": average_precision(ranks), **recalls}

    def evaluate(self, describe: Describe) -> Result:
        """Ranks the database for every query and scores the rankings.

        Raises:
            UserError: files that are missing, or cannot be fetched where ``download`` asks for it, ground truth that
                cannot be read, a box outside its photograph, codes or rankings that do not fit, or no query that is
                there with a positive.
        """
        self.prepare()
        truth = self.truth()
        source = self.rankings_from(describe, truth)
        database = source.database(truth)
        place = {name: position for position, name in enumerate(database)}
        main = next(iter(self.settings.values()))
        there = [i for i, question in enumerate(truth.questions) if source.has(question)]
        lists = {i: {kind: _positions(names, place) for kind, names in truth.questions[i].lists.items()} for i in there}
        right = self._kinds("positives")
        usable = [i for i in there if any(len(lists[i][kind]) for kind in right)]
        if not usable:
            raise self.none_usable(truth, source, len(database))
        asked = [truth.questions[i] for i in usable]
        columns = {kind: [lists[i][kind] for i in usable] for kind in asked[0].lists}
        matter = [torch.cat([*row]) for row in zip(*columns.values(), strict=True)]
        standing = source.stand(asked, database, matter, most(_joined(columns, self._kinds("ignored"))))
        figures: dict[str, Tensor] = {}
        for name, setting in self.settings.items():
            ranks = standing.ranks(_joined(columns, setting.positives), _joined(columns, setting.ignored))
            own = "" if setting is main else f" {name}"
            figures |= {f"{figure}{own}": values for figure, values in self.figures(ranks, name).items()}
        photos = source.photos(asked, database)
        complete = self._complete(truth, source, place, standing.database)
        return Result(
            benchmark=complete.title,
            metrics={name: float(values.nanmean()) for name, values in figures.items()},
            counts={
                "queries": len(asked),
                "database": standing.database,
                "left_out": len(truth.questions) - len(asked),
                **{f"missing_{kind}": count for kind, count in complete.missing.items()},
            },
            queries=photos[0],
            database=photos[1],
            ranking=standing.first(LISTED, _joined(columns, main.ignored)),
            relevant=[set(p.tolist()) for p in _joined(columns, main.positives)],
            ap=figures["mAP"],
        )

    def none_usable(self, truth: Truth, source: Source, there: int) -> UserError:
        """What says that nothing can be asked."""
        if not truth.questions:
            return UserError(f"benchmark={self.name}: the ground truth in {self.root} has no query.")
        names = f"{source.file} has to name them, such as {truth.questions[0].name}."
        if self.descriptors is not None and self.queries is None:
            names += " Codes of the queries may be in a file of their own, benchmark.queries."
        return UserError(
            f"benchmark={self.name}: none of the {len(truth.questions):,} queries of its ground truth is there with a "
            f"positive ({there:,} photographs are)" + (f": {names}" if source.file else self.remedy(self.folder))
        )

    def rankings_from(self, describe: Describe, truth: Truth) -> Source:
        """Where the rankings come from.

        Raises:
            UserError: files that are missing or cannot be read, or two sources at once.
        """
        if self.ranking is None:
            return self.compared(describe, truth)
        more = [] if self.distractors is None else names_of(self.distractors)
        return self.read_rankings(self.ranking).among(truth, self.count, more)

    def prepare(self) -> None:
        """Refuses, before any work, two sources of rankings, half of one, and a root that is not there.

        What is missing is fetched first, where that is asked for.

        Raises:
            UserError: there are two, or codes of queries alone; what cannot be fetched; or no such folder.
        """
        if self.ranking is not None and self.descriptors is not None:
            raise UserError("benchmark.ranking and benchmark.descriptors are two sources of rankings: give one.")
        if self.queries is not None and self.descriptors is None:
            raise UserError(
                "benchmark.queries has codes of queries: give those of the database as benchmark.descriptors."
            )
        photographs = self.ranking is None and self.descriptors is None
        if self.download:
            fetch_set(self.name, self.root, photographs=photographs)
        if photographs and not self.root.is_dir():
            raise UserError(f"benchmark.root={self.root}: there is no such folder{self.remedy(self.folder)}{FETCHED}")

    def compared(self, describe: Describe, truth: Truth) -> Compared:
        """Codes that are compared: those in files, or those of the photographs.

        Raises:
            UserError: files that are missing or cannot be read.
        """
        if self.descriptors is not None:
            return Descriptors(self.descriptors, self.queries, self.distractors, self.index)
        more = [] if self.distractors is None else photographs_of(self.distractors)
        return Photographs(self.files(truth), describe, self.index, more)

    def read_rankings(self, path: Path) -> Rankings:
        """Rankings in a text file."""
        return read_rankings(path)

    def place(self) -> Path:
        """Where the photographs are."""
        return self.root / self.folder

    def files(self, truth: Truth) -> dict[str, Path]:
        """The benchmark's photographs by name: what the ground truth lists, where it lists the database, else all.

        Raises:
            UserError: there is no such folder, or two photographs have one name.
        """
        folder = self.place()
        if not folder.is_dir():
            raise UserError(
                f"benchmark.root={self.root}: there is no folder {folder}{self.remedy(self.folder)}{FETCHED}"
            )
        named = {*truth.database, *(question.image for question in truth.questions)}
        found: dict[str, Path] = {}
        for path in images_below(folder):
            name = self.name_of(path, folder)
            if truth.database and name not in named:
                continue
            if name in found:
                raise UserError(f"benchmark.root={self.root}: two photographs have one name, {found[name]} and {path}.")
            found[name] = path
        return found

    def held_out(self, truth: Truth) -> dict[str, Path]:
        """The photographs, by name, of which a training must have seen no copy.

        Raises:
            UserError: as ``files``.
        """
        return self.files(truth)

    def name_of(self, path: Path, folder: Path) -> str:
        """What the ground truth calls a photograph: its path below the folder, without the ending."""
        return plain(path.relative_to(folder).as_posix())

    def remedy(self, folder: str) -> str:
        """What is to be put into a folder below the root, to end a message."""
        return ": put the published photographs there."

    def usable(self, asked: int) -> list[tuple[Sequence[str], int]]:
        """Of each setting the kinds of its positives, and how many of the published queries have one."""
        return [(s.positives, asked - self.without.get(name, 0)) for name, s in self.settings.items()]

    def _kinds(self, which: str) -> list[str]:
        """The kinds that are positives, or ignored, in any setting."""
        return list(dict.fromkeys(kind for s in self.settings.values() for kind in getattr(s, which)))

    def _complete(self, truth: Truth, source: Source, place: Mapping[str, int], ranked: int) -> Completeness:
        """How much of the published benchmark was ranked."""
        right, out = (
            {name for q in truth.questions for kind in kinds for name in q.lists[kind]}
            for kinds in (self._kinds("positives"), self._kinds("ignored"))
        )
        name, more = self.name, 0
        if self.distractors is not None:
            name, more = self.enlarged[0] or name, self.enlarged[1]
        asked = self.asked or self.count
        published = Published(self.count, more, asked, self.usable(asked))
        return completeness(
            name,
            published,
            truth,
            right,
            out,
            place,
            source.has,
            ranked=ranked - source.added,
            added=source.added,
            whole=any(source.whole(question, place) for question in truth.questions if source.has(question)),
        )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _positions(names: Collection[str], place: Mapping[str, int]) -> Tensor:
    return torch.tensor(sorted(place[name] for name in names if name in place), dtype=torch.int64)


def _joined(columns: Lists, kinds: Sequence[str]) -> list[Tensor]:
    """Of each query the positions of several kinds."""
    count = len(next(iter(columns.values())))
    empty = torch.empty(0, dtype=torch.int64)
    return [torch.cat([empty, *(columns[kind][i] for kind in kinds)]) for i in range(count)]
