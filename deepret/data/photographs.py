"""People's own photographs: a list, a folder of folders, or a flat folder."""

from __future__ import annotations

import csv
import difflib
import math
import warnings
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeInt

from deepret.data.catalogue import SPLITS, Catalogue
from deepret.data.check import IMAGES, look_at_all
from deepret.data.photo import Box
from deepret.errors import UserError

COLUMNS = ("path", "label", "split")
BOX = ("x0", "y0", "x1", "y1")
Row = tuple[str, str, str, list[Box], int]
"""path, label, split, boxes, line of images.csv (0 where there is none)."""


class Photographs:
    """Reads a folder of photographs.

    With ``images.csv`` in it, the file says everything: path, label, split, and where known the box x0, y0, x1, y1 of the
    object in pixels. Without, each sub-folder is a label, and classes are shared out to train, val and test from a seed,
    no class to two. A flat folder without either has no labels and is for evaluation and search only.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the classes that go to val, where there is no images.csv.
        test_share: share of the classes that go to test, where there is no images.csv.
        split_seed: of that draw.
        split: which split is scored.
        views: a folder of unlabelled photographs, each a class of its own in training; null for none.
        view_share: their share of each batch's classes.
        cache: where it is kept which files are sound.
    """

    def __init__(
        self,
        root: str,
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.15,
        test_share: Annotated[float, Field(ge=0, lt=1)] = 0.25,
        split_seed: NonNegativeInt = 0,
        split: str = "test",
        views: str | None = None,
        view_share: Annotated[float, Field(ge=0, le=1)] = 0.4,
        cache: str | None = "~/.cache/deepret",
    ) -> None:
        self.root = Path(root).expanduser()
        self.strict = strict
        self.val_share = val_share
        self.test_share = test_share
        self.split_seed = split_seed
        self.views = views
        self.view_share = view_share
        self.cache = None if cache is None else Path(cache).expanduser()

    def load(self) -> Catalogue:
        """The catalogue, each file looked at.

        Raises:
            UserError: no such folder, nothing in it, or an images.csv that contradicts itself or the files.
        """
        if not self.root.is_dir():
            raise UserError(f"data.root={self.root}: there is no such folder.")
        listed = self.root / "images.csv"
        rows = read_list(listed) if listed.is_file() else self._folders()
        if not rows:
            raise UserError(f"data.root={self.root}: there is no photograph in it.")
        found = sound(self.root, rows, self.strict, self.cache)
        found = without_single_images(found, listed if listed.is_file() else self.root)
        return found if self.views is None else found.joined(view_catalogue(Path(self.views), self.strict, self.cache))

    def _folders(self) -> list[Row]:
        """Rows from the folders' names; a flat folder's photographs have no label."""
        labels = sorted(p.name for p in self.root.iterdir() if p.is_dir() and not p.name.startswith("."))
        files = {label: images_below(self.root / label) for label in labels}
        labels = [label for label in labels if files[label]]
        if not labels:
            return [(p.name, "", "gallery", [], 0) for p in images_below(self.root)]
        split = class_splits(labels, self.val_share, self.test_share, self.split_seed)
        return [(p.relative_to(self.root).as_posix(), label, split[label], [], 0) for label in labels for p in files[label]]


class Views:
    """Trains from a flat folder without any label: each photograph is a class of its own, seen in augmented views.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        split: which split is scored; views alone have none.
        cache: where it is kept which files are sound.
    """

    def __init__(self, root: str, strict: bool = False, split: str = "test", cache: str | None = "~/.cache/deepret") -> None:
        self.root = Path(root).expanduser()
        self.strict = strict
        self.cache = None if cache is None else Path(cache).expanduser()

    def load(self) -> Catalogue:
        """The catalogue: all in train.

        Raises:
            UserError: no such folder, or nothing in it.
        """
        return view_catalogue(self.root, self.strict, self.cache)


def view_catalogue(root: Path, strict: bool, cache: Path | None) -> Catalogue:
    """Unlabelled photographs below a folder, each a class of its own in train."""
    root = root.expanduser()
    if not root.is_dir():
        raise UserError(f"{root}: there is no such folder of unlabelled photographs.")
    rows: list[Row] = []
    for path in images_below(root):
        name = path.relative_to(root).as_posix()
        rows.append((name, f"view:{name}", "train", [], 0))
    if not rows:
        raise UserError(f"{root}: there is no photograph in it.")
    found = sound(root.resolve(), rows, strict, cache)
    return Catalogue(**{**vars(found), "views": [True] * len(found)})


def images_below(folder: Path) -> list[Path]:
    """The files below a folder whose ending says that they are images, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGES and p.is_file() and not p.name.startswith("."))


def class_splits(labels: list[str], val_share: float, test_share: float, seed: int) -> dict[str, str]:
    """Shares classes out to train, val and test; two at least stay in train, and val and test get one where they can."""
    order = [labels[i] for i in np.random.default_rng(seed).permutation(len(labels))]
    spare = max(len(labels) - 2, 0)
    test = min(spare, max(round(test_share * len(labels)), 1 if test_share > 0 else 0))
    val = min(spare - test, max(round(val_share * len(labels)), 1 if val_share > 0 else 0))
    return {label: "test" if i < test else "val" if i < test + val else "train" for i, label in enumerate(order)}


def read_list(path: Path) -> list[Row]:
    """The rows of an ``images.csv``.

    Raises:
        UserError: columns that are missing or unknown, a split that does not exist, a path twice, an empty label in train,
            or a box that is none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [n.strip() for n in reader.fieldnames or []]
            reader.fieldnames = names
            _check_columns(path, names)
            lines = [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV file in UTF-8 ({error}).") from None
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, row in lines:
        where, name = f"{path}:{line}", row["path"]
        if not name:
            raise UserError(f"{where}: the path is empty.")
        if name in seen:
            raise UserError(f"{where}: {name!r} stands on line {seen[name]} already; each photograph has one line.")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"{where}: {name!r} leaves the folder; paths are relative to {path.parent}.")
        if row["split"] not in SPLITS:
            raise UserError(f"{where}: there is no split {row['split']!r}; there are {', '.join(SPLITS)}.")
        if row["split"] == "train" and not row["label"]:
            raise UserError(f"{where}: the label is empty, and split=train needs one; unlabelled photographs go into data.views.")
        seen[name] = line
        rows.append((name, row["label"], row["split"], _box(row, where), line))
    missing = [(name, line) for name, _, _, _, line in rows if not (path.parent / name).is_file()]
    if missing:
        first = ", ".join(f"{name!r} (line {line})" for name, line in missing[:3])
        raise UserError(f"{path}: {len(missing)} of {len(rows)} files are missing below {path.parent}: {first}{' …' if len(missing) > 3 else ''}.")
    return rows


def _check_columns(path: Path, names: list[str]) -> None:
    known = (*COLUMNS, *BOX)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the columns are {', '.join(COLUMNS)} and, where known, {', '.join(BOX)}."
            raise UserError(f"{path}:1: there is no column {name!r}; {hint}")
    missing = [name for name in COLUMNS if name not in names]
    boxed = [name for name in BOX if name in names]
    if missing or len(boxed) not in (0, 4):
        lacking = missing or [name for name in BOX if name not in names]
        raise UserError(f"{path}:1: the column {lacking[0]!r} is missing; the first line names {','.join(COLUMNS)} and, where known, {','.join(BOX)}.")


def _box(row: dict[str, str], where: str) -> list[Box]:
    texts = [row.get(name, "") for name in BOX]
    if not any(texts):
        return []
    try:
        x0, y0, x1, y1 = map(float, texts)
        sound = all(map(math.isfinite, (x0, y0, x1, y1))) and x0 < x1 and y0 < y1
    except ValueError:
        sound = False
    if not sound:
        raise UserError(f"{where}: {','.join(texts)} is no box: x0,y0,x1,y1 are pixels with x0 < x1 and y0 < y1, or all empty.")
    return [(x0, y0, x1, y1)]


def sound(root: Path, rows: list[Row], strict: bool, cache: Path | None) -> Catalogue:
    """The catalogue of the rows whose files can be used.

    Raises:
        UserError: a box outside its photograph; with ``strict``, a file that cannot be used; no file that can.
    """
    seen = look_at_all(root, [row[0] for row in rows], cache)
    broken = [(row[0], what[2]) for row, what in zip(rows, seen, strict=True) if what[2]]
    if broken:
        text = "; ".join(f"{name} ({why})" for name, why in broken[:5]) + (" …" if len(broken) > 5 else "")
        if strict or len(broken) == len(rows):
            raise UserError(f"{root}: {len(broken)} of {len(rows)} files cannot be used: {text}")
        warnings.warn(f"{root}: {len(broken)} of {len(rows)} files cannot be used and are left out: {text}", stacklevel=3)
    kept = [(row, what) for row, what in zip(rows, seen, strict=True) if not what[2]]
    for (name, _, _, boxes, line), (width, height, _) in kept:
        for x0, y0, x1, y1 in boxes:
            if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
                raise UserError(
                    f"{root / 'images.csv'}:{line}: the box {x0:g},{y0:g},{x1:g},{y1:g} leaves {name}, which is {width} × {height} pixels."
                )
    return Catalogue(
        root,
        paths=[row[0] for row, _ in kept],
        labels=[row[1] for row, _ in kept],
        splits=[row[2] for row, _ in kept],
        sizes=[(width, height) for _, (width, height, _) in kept],
        boxes=[row[3] for row, _ in kept],
        views=[False] * len(kept),
    )


def without_single_images(catalogue: Catalogue, where: Path) -> Catalogue:
    """Leaves out, and names, the classes of train, val and test that have one image, which nothing can be compared with."""
    counts = Counter((s, lab) for s, lab in zip(catalogue.splits, catalogue.labels, strict=True) if lab and s in ("train", "val", "test"))
    single = sorted(label for (_, label), n in counts.items() if n == 1)
    if not single:
        return catalogue
    if len(single) == len(counts):
        raise UserError(f"{where}: every class has one image only; a class needs two at least, and unlabelled photographs go into data.views.")
    names = ", ".join(map(repr, single[:5])) + (" …" if len(single) > 5 else "")
    warnings.warn(f"{where}: {len(single)} classes have one image only and are left out: {names}", stacklevel=3)
    keys = zip(catalogue.splits, catalogue.labels, strict=True)
    return catalogue.subset([i for i, key in enumerate(keys) if counts.get(key, 2) > 1])
