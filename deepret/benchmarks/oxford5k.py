"""Oxford5k from its official text ground truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import PositiveInt

from deepret.benchmarks.result import Describe, Result, score
from deepret.benchmarks.searched import Index
from deepret.data.photo import Photo, upright_size
from deepret.errors import UserError


@dataclass(frozen=True)
class Query:
    """One query of the ground truth: the image it is cut from, its box in pixels and the names in its three lists."""

    name: str
    image: str
    box: tuple[float, float, float, float]
    good: frozenset[str]
    ok: frozenset[str]
    junk: frozenset[str]

    @property
    def positives(self) -> frozenset[str]:
        """Good and ok together."""
        return self.good | self.ok


class Oxford5k:
    """Oxford buildings: 5,063 photographs, 55 queries, five for each of eleven landmarks.

    - Source: https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/: oxbuild_images.tgz unpacked into ROOT/images,
      gt_files_170407.tgz into ROOT/groundtruth.
    - Query rule: the image is cut by the query's box, at the scale that the whole image has in the database.
    - Positives: good and ok. Ignored: junk. The query's own image counts as the lists say.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: fewer than 5,063 images, or one that the ground truth names is missing. A query is left out where its
      image or every positive is missing. Images beyond the 5,063 are said in the name too.

    Philbin et al., Object retrieval with large vocabularies and fast spatial matching, CVPR 2007.

    Args:
        root: the folder that holds ``images`` and ``groundtruth``.
        recalls: the k of recall@k, printed beside mAP.
        index: gives an empty index to search with; none compares everything, exactly.
    """

    name: ClassVar[str] = "oxford5k"
    images: ClassVar[int] = 5063
    prefix: ClassVar[str] = "oxc1_"

    def __init__(
        self,
        root: str,
        recalls: Sequence[PositiveInt] = (1, 5, 10),
        index: Callable[[], Index] | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self.recalls = list(recalls)
        self.index = index

    def evaluate(self, describe: Describe) -> Result:
        """Describes images and queries and scores them.

        Raises:
            UserError: a folder that is missing, ground truth that cannot be read, a box outside its image, or no query
                whose image and a positive are there.
        """
        queries = read_ground_truth(self._folder("groundtruth", "gt_files_170407.tgz"), self.prefix)
        folder = self._folder("images", "oxbuild_images.tgz")
        files = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".jpg", ".jpeg", ".png")}
        place = {stem: position for position, stem in enumerate(files)}
        positives = [sorted(place[n] for n in q.positives if n in place) for q in queries]
        usable = [i for i, q in enumerate(queries) if q.image in place and positives[i]]
        if not usable:
            raise UserError(
                f"benchmark={self.name}: none of the {len(queries)} queries of {self.root / 'groundtruth'} has its "
                f"image and a positive in {folder} ({len(files)} images there): put the published images there."
            )
        database = [Photo(path) for path in files.values()]
        asked = [Photo(files[queries[i].image], self._box(queries[i], files)) for i in usable]
        missing = {
            "missing_queries": {q.image for q in queries} - files.keys(),
            "missing_positives": set().union(*(q.positives for q in queries)) - files.keys(),
            "missing_junk": set().union(*(q.junk for q in queries)) - files.keys(),
        }
        return score(
            self._title(len(files), len(set().union(*missing.values()))),
            (asked, describe(asked)),
            (database, describe(database)),
            [torch.tensor(positives[i]) for i in usable],
            [torch.tensor(sorted(place[n] for n in queries[i].junk if n in place)).long() for i in usable],
            recalls=self.recalls,
            counts={"left_out": len(queries) - len(usable), **{kind: len(m) for kind, m in missing.items()}},
            index=None if self.index is None else self.index(),
        )

    def _title(self, count: int, lost: int) -> str:
        """The benchmark's name, with what sets this copy apart from the published one."""
        there = min(count, self.images - lost)
        if there < self.images:
            return f"{self.name} (partial: {there:,} of {self.images:,})"
        return self.name if count == self.images else f"{self.name} (and {count - self.images:,} more)"

    def _folder(self, name: str, archive: str) -> Path:
        folder = self.root / name
        if not folder.is_dir():
            raise UserError(
                f"benchmark.root={self.root}: there is no folder {folder}. Unpack {archive} of "
                f"https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/ into it."
            )
        return folder

    def _box(self, query: Query, files: dict[str, Path]) -> tuple[float, float, float, float]:
        """The query's box cut to its image; the official ones reach less than a pixel beyond."""
        path = files[query.image]
        width, height = upright_size(path)
        x0, y0, x1, y1 = query.box
        if x0 < -1 or y0 < -1 or x1 > width + 1 or y1 > height + 1:
            raise UserError(
                f"{self.root / 'groundtruth' / (query.name + '_query.txt')}: the box {x0:g} {y0:g} {x1:g} {y1:g} lies "
                f"outside {path}, which is {width} × {height} pixels: take the images at their original size."
            )
        return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))


def read_ground_truth(folder: Path, prefix: str) -> list[Query]:
    """Reads ``<query>_query.txt`` (image and box) and its ``_good``, ``_ok`` and ``_junk`` lists, a name a line.

    Args:
        folder: where the files are.
        prefix: what stands before an image's name in the query files.

    Raises:
        UserError: no query, a list that is missing, a line that cannot be read, or a name that is positive and junk.
    """
    queries = []
    for path in sorted(folder.glob("*_query.txt")):
        name = path.name.removesuffix("_query.txt")
        image, box = _query_line(path, prefix)
        good, ok, junk = (_names(folder / f"{name}_{kind}.txt") for kind in ("good", "ok", "junk"))
        for both in sorted((good | ok) & junk):
            raise UserError(f"{folder / name}_junk.txt: {both} is among the positives of the same query too.")
        queries.append(Query(name, image, box, good, ok, junk))
    if not queries:
        raise UserError(f"{folder} holds no ground truth: no file there is called like all_souls_1_query.txt.")
    return queries


def _query_line(path: Path, prefix: str) -> tuple[str, tuple[float, float, float, float]]:
    lines = _lines(path)
    if len(lines) != 1:
        raise UserError(f"{path}: {len(lines)} lines; a query is one line: image x0 y0 x1 y1.")
    number, words = lines[0]
    wrong = UserError(f"{path}, line {number}: {' '.join(words)!r} is no query; wanted: image x0 y0 x1 y1 in pixels.")
    if len(words) != 5:
        raise wrong
    try:
        x0, y0, x1, y1 = (float(w) for w in words[1:])
    except ValueError:
        raise wrong from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x0 >= x1 or y0 >= y1:
        raise wrong
    return words[0].removeprefix(prefix), (x0, y0, x1, y1)


def _names(path: Path) -> frozenset[str]:
    found = set()
    for number, words in _lines(path):
        if len(words) != 1:
            raise UserError(f"{path}, line {number}: {' '.join(words)!r} is no image's name; wanted: one name a line.")
        found.add(words[0])
    return frozenset(found)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); every query has a query, good, ok and junk file.") from None
    return [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
