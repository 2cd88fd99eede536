"""The catalogue: what photographs there are, what each shows, and what each is for."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from deepret.data.photo import Box, Photo

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
        boxes: every box that is known in each photograph, in pixels, its own object's first; empty where none is.
        views: True for an unlabelled photograph that is a class of its own, seen in augmented views.
    """

    root: Path
    paths: list[str]
    labels: list[str]
    splits: list[str]
    sizes: list[tuple[int, int]]
    boxes: list[list[Box]]
    views: list[bool]

    def __len__(self) -> int:
        return len(self.paths)

    def photo(self, i: int) -> Photo:
        """The photograph of a row."""
        return Photo(self.root / self.paths[i])

    def subset(self, rows: Iterable[int]) -> Catalogue:
        """The catalogue of some rows, in their order."""
        rows = list(rows)
        columns = {f.name: [getattr(self, f.name)[i] for i in rows] for f in fields(self) if f.name != "root"}
        return Catalogue(self.root, **columns)

    def select(self, *splits: str) -> Catalogue:
        """The catalogue of some splits."""
        return self.subset(i for i, split in enumerate(self.splits) if split in splits)

    def label_ids(self) -> Tensor:
        """The labels as numbers (n,) int64, in the order of their names; −1 for none."""
        number = {label: i for i, label in enumerate(sorted({label for label in self.labels if label}))}
        return torch.tensor([number.get(label, -1) for label in self.labels], dtype=torch.int64)

    def joined(self, other: Catalogue) -> Catalogue:
        """This catalogue's rows, then another's."""
        columns = {f.name: [*getattr(self, f.name), *getattr(other, f.name)] for f in fields(self) if f.name not in ("root", "paths")}
        paths = other.paths if other.root == self.root else [str(other.root / path) for path in other.paths]
        return Catalogue(self.root, paths=[*self.paths, *paths], **columns)

    def fingerprint(self) -> str:
        """A digest of what the catalogue says and of each file's size."""
        digest = hashlib.sha256()
        for i, path in enumerate(self.paths):
            file = self.photo(i).path
            row = (path, self.labels[i], self.splits[i], self.boxes[i], file.stat().st_size if file.is_file() else -1)
            digest.update(repr(row).encode())
        return digest.hexdigest()

    def csv(self) -> str:
        """The catalogue as ``images.csv`` has it: path, label, split, and the first box where any is known."""
        boxed = any(self.boxes)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "label", "split", *(["x0", "y0", "x1", "y1"] if boxed else [])])
        for path, label, split, boxes in zip(self.paths, self.labels, self.splits, self.boxes, strict=True):
            box = [f"{v:g}" for v in boxes[0]] if boxes else [""] * 4
            writer.writerow([path, label, split, *(box if boxed else [])])
        return text.getvalue()

    def write_csv(self, path: Path) -> None:
        """Writes ``images.csv``."""
        path.write_text(self.csv(), encoding="utf-8")
