"""What all published sets have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

from tqdm import tqdm

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.check import first, report
from deepret.data.download.mirrors import MIRRORS, read_mirrors
from deepret.data.download.official import fetch_set
from deepret.data.folder import check_folder, sound
from deepret.data.listing import Row
from deepret.data.photo import Box
from deepret.data.photographs import class_splits, without_single_images
from deepret.data.sets.lists import Lists
from deepret.errors import UserError


class PublishedSet(ABC):
    """Reads a set's own lists. Photographs that are not on disk are counted and said, and left out.

    Args:
        root: the folder of the published files.
        strict: whether a photograph that is there and cannot be read stops the run; otherwise it is reported once and
            left out.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.
    """

    name: ClassVar[str]
    """The option's, for messages."""
    fetch: ClassVar[str]
    """What is to be had where, and where below the root it goes: sentences."""

    def __init__(self, root: str, strict: bool, cache: str | None, download: bool = False) -> None:
        self.root = Path(root).expanduser()
        self.download = download
        self.strict = strict
        self.cache = None if cache is None else Path(cache).expanduser()

    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """Every photograph that the lists name, whether it is on disk or not.

        Raises:
            UserError: a list that is missing or cannot be read.
        """

    def published(self) -> Mapping[str, int]:
        """How many photographs of each split are published, or ``classes``; what is held out as val counts as train."""
        return {}

    @property
    def official(self) -> str:
        """The set's name among those that can be fetched."""
        return self.name

    @property
    def remedy(self) -> str:
        """What is to be done where something is missing: sentences that end messages."""
        fetched = " data.download=true fetches what is missing." if self.official in _fetchable() else ""
        return self.fetch + fetched

    @property
    def lists(self) -> Lists:
        """The lists below the root."""
        return Lists(self.root, "data.root", self.remedy)

    def load(self) -> Catalogue:
        """The catalogue, each file looked at.

        Raises:
            UserError: no such folder, a list that is missing or cannot be read, no photograph that is there, or files
                that cannot be fetched where ``download`` asks for it.
        """
        if self.download:
            fetch_set(self.official, self.root)
        try:
            check_folder(self.root, "data.root")
        except UserError as error:
            raise UserError(f"{error} {self.remedy}") from None
        listed = self.rows()
        self._compare(listed)
        rows = self._there(listed)
        boxes = {row.path: row.boxes for row in rows if row.boxes}
        bare = [replace(row, boxes=[]) for row in rows] if boxes else rows
        found = sound(self.root, bare, self.strict, self.cache)
        if boxes:
            known = (boxes.get(path, []) for path in found.paths)
            found = replace(found, boxes=fitting(known, found.sizes, self.root))
        return without_single_images(found)

    def _compare(self, rows: Sequence[Row]) -> None:
        """Says so where the lists name more or fewer photographs than are published."""
        published = self.published()
        counts = Counter(row.split if row.split in published else "train" for row in rows)
        counts["classes"] = len({row.label for row in rows})
        other = [f"{counts[s]:,} of {s} ({n:,} are published)" for s, n in published.items() if counts[s] != n]
        if other:
            report(f"data={self.name}: {self.root} has other counts than are published: {', '.join(other)}")

    def _there(self, rows: Sequence[Row]) -> list[Row]:
        """The rows whose files are there, each file once.

        Raises:
            UserError: there are none.
        """
        there: dict[str, Row] = {}
        missing, again = [], []
        for row in tqdm(rows, "looking for photographs", unit=" files", disable=None, leave=False):
            if row.path in there:
                again.append(row.path)
            elif members.exists(self.root / row.path):
                there[row.path] = row
            else:
                missing.append(row.path)
        if not there:
            such = f", such as {missing[0]}" if missing else ""
            raise UserError(f"data.root={self.root}: none of {len(rows):,} photographs is there{such}. {self.remedy}")
        if missing:
            report(f"{self.root}: {len(missing):,} of {len(rows):,} photographs are not there: {first(missing)}")
        if again:
            report(f"{self.root}: {len(again):,} photographs are listed again and count once: {first(again)}")
        return list(there.values())


@cache
def _fetchable() -> frozenset[str]:
    """The sets that can be fetched; each list of a set that is read asks."""
    return frozenset(read_mirrors(MIRRORS))


def held_out(rows: Iterable[Row], share: float, seed: int) -> list[Row]:
    """The rows, with a share of the classes of train turned into val.

    Args:
        rows: of any split.
        share: of the classes; 0 for none.
        seed: of the draw.
    """
    rows = list(rows)
    of = class_splits(sorted({row.label for row in rows if row.split == "train"}), share, 0.0, seed)
    return [replace(row, split="val") if row.split == "train" and of[row.label] == "val" else row for row in rows]


def fitting(boxes: Iterable[Sequence[Box]], sizes: Sequence[tuple[int, int]], root: Path) -> list[list[Box]]:
    """The boxes of each photograph, cut off at its sides where they leave it by a pixel at most.

    Those that leave it farther were drawn on the photograph in another size: they are left out, and counted once.

    Args:
        boxes: of each photograph, in pixels.
        sizes: width and height of each.
        root: the folder, for the message.
    """
    kept, lost = [], 0
    for listed, (width, height) in zip(boxes, sizes, strict=True):
        found = []
        for x0, y0, x1, y1 in listed:
            cut = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
            inside = min(x0, y0) >= -1 and x1 <= width + 1 and y1 <= height + 1
            if inside and cut[0] < cut[2] and cut[1] < cut[3]:
                found.append(cut)
            else:
                lost += 1
        kept.append(found)
    if lost:
        report(f"{root}: {lost:,} boxes leave their photographs, which have another size, and are left out")
    return kept
