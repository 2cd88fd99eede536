"""The catalogue: what photographs there are, what each shows, and what each is for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor

from deepret.comma_separated import comma_separated
from deepret.data import members
from deepret.data.photo import Box, Photo
from deepret.files import write_whole

SPLITS = ("train", "val", "test", "gallery", "query", "distractor")


@dataclass(frozen=True)
class Catalogue:
    """Photographs in columns of one length n.

    Args:
        root: the folder that the paths are relative to.
        paths: with ``/`` between folders; a photograph from another folder has its absolute path.
        labels: what each shows; empty where nobody says.
        splits: train, val, test, gallery, query or distractor.
        sizes: width and height of each upright photograph in pixels.
        boxes: every box that is known in each photograph, in pixels, its own object's first where it has a label; empty
            where none is.
        views: True for an unlabelled photograph that is a class of its own, seen in augmented views.
        pairs: rows (query, positive) that are known to show the same; empty where the labels alone say what does.
    """

    root: Path
    paths: list[str]
    labels: list[str]
    splits: list[str]
    sizes: list[tuple[int, int]]
    boxes: list[list[Box]]
    views: list[bool]
    pairs: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a catalogue have one length, not {lengths}")

    def __len__(self) -> int:
        return len(self.paths)

    def photo(self, i: int) -> Photo:
        """The photograph of a row."""
        return Photo(self.root / self.paths[i])

    def subset(self, rows: Iterable[int]) -> Catalogue:
        """The catalogue of some rows, in their order, and of the pairs that are among them."""
        rows = list(rows)
        columns = {name: [getattr(self, name)[i] for i in rows] for name in COLUMNS}
        place = {row: i for i, row in enumerate(rows)} if self.pairs else {}
        pairs = [(place[q], place[p]) for q, p in self.pairs if q in place and p in place]
        return Catalogue(self.root, **columns, pairs=pairs)

    def label_ids(self) -> Tensor:
        """The labels as numbers (n,) int64, in the order of their names; −1 for none."""
        number = {label: i for i, label in enumerate(sorted({label for label in self.labels if label}))}
        return torch.tensor([number.get(label, -1) for label in self.labels], dtype=torch.int64)

    def joined(self, other: Catalogue) -> Catalogue:
        """This catalogue's rows, then another's."""
        columns = {name: [*getattr(self, name), *getattr(other, name)] for name in COLUMNS if name != "paths"}
        pairs = [*self.pairs, *((q + len(self), p + len(self)) for q, p in other.pairs)]
        paths = other.paths if other.root == self.root else [str(other.root / path) for path in other.paths]
        return Catalogue(self.root, paths=[*self.paths, *paths], **columns, pairs=pairs)

    def csv(self) -> str:
        """The catalogue as ``images.csv`` has it: path, label, split, and its own box where any is known.

        A photograph without a label has no own box, only others' in it. Unlabelled photographs that are classes of
        their own are not in the list: they come from a folder.
        """
        own = [boxes[:1] if label else [] for label, boxes in zip(self.labels, self.boxes, strict=True)]
        boxed = any(own)
        rows = [["path", "label", "split", *(["x0", "y0", "x1", "y1"] if boxed else [])]]
        for i, path in enumerate(self.paths):
            if not self.views[i]:
                box = [f"{v:.10g}" for v in own[i][0]] if own[i] else [""] * 4
                rows.append([path, self.labels[i], self.splits[i], *(box if boxed else [])])
        return comma_separated(rows)

    def digest(self) -> str:
        """SHA-256 of all that training depends on: each row's path, size of file, label, split and boxes; the pairs."""
        found = hashlib.sha256()
        for i, path in enumerate(self.paths):
            try:
                size = members.stat(self.root / path).size
            except OSError:  # whoever opens it will say so
                size = -1
            row = (path, size, self.labels[i], self.splits[i], self.boxes[i], self.views[i])
            found.update(repr(row).encode("utf-8", "surrogateescape"))
        if self.pairs:
            found.update(repr(self.pairs).encode())
        return found.hexdigest()

    def write_csv(self, path: Path) -> None:
        """Writes ``images.csv``, whole or not at all.

        Raises:
            UserError: it cannot be written there.
        """
        write_whole(path, self.csv().encode("utf-8", "surrogateescape"))


COLUMNS = tuple(f.name for f in fields(Catalogue) if f.name not in ("root", "pairs"))
"""What a catalogue has of each photograph."""
