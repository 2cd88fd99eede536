"""``images.csv``: the file that says what each photograph of a folder shows, and what it is for."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from deepret.data import members
from deepret.data.catalogue import SPLITS
from deepret.data.check import first
from deepret.data.photo import Box
from deepret.errors import UserError

COLUMNS = ("path", "label", "split")
BOX = ("x0", "y0", "x1", "y1")
WANTED = f"the first line names {','.join(COLUMNS)} and, where boxes are known, {','.join(BOX)}"


@dataclass(frozen=True)
class Row:
    """A photograph as it is listed.

    Args:
        path: relative to the folder, with ``/`` between folders, or absolute; bytes of it that are no UTF-8 are
            surrogates, as ``os.fsdecode`` has them.
        label: what it shows; empty where nobody says.
        split: what it is for.
        boxes: its own object's box, or none.
        line: of images.csv; 0 where there is no such file.
    """

    path: str
    label: str
    split: str
    boxes: list[Box] = field(default_factory=list)
    line: int = 0


def read_list(path: Path, single: bool = False) -> list[Row]:
    """The rows of an ``images.csv``.

    Args:
        path: the file.
        single: whether a class may have one image.

    Raises:
        UserError: columns that are missing or unknown, a split that does not exist, a path twice, a file that is not
            there, an empty label in train, a class with one image, a box that is none.
    """
    seen: dict[str, int] = {}
    rows = [_row(path, line, fields, seen) for line, fields in _lines(path)]
    if not rows:
        raise UserError(f"{path}: it lists no photograph; {WANTED}, and each further line a photograph.")
    missing = [row for row in rows if not members.exists(path.parent / row.path)]
    if missing:
        names = first((f"{row.path!r} (line {row.line})" for row in missing), 3)
        raise UserError(
            f"{path}: {len(missing):,} of {len(rows):,} files are missing, seen from {path.parent}: {names}; "
            f"mend the paths, which are relative to that folder, or take the lines out."
        )
    if not single:
        _refuse_single_images(path, rows)
    return rows


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and fields of each photograph."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.reader(file)
            names = [_text(name.strip()) for name in next(reader, [])]
            _check_columns(path, names)
            found = []
            for values in reader:
                if not any(value.strip() for value in values):
                    continue
                if len(values) != len(names):
                    raise UserError(
                        f"{path}:{reader.line_num}: {len(values)} values for {len(names)} columns; "
                        f'quote a value that holds a comma: "a, b".'
                    )
                fields = dict(zip(names, (value.strip() for value in values), strict=True))
                for name, value in fields.items():
                    try:
                        _text(value)
                    except UnicodeDecodeError:
                        if name != "path" or not members.exists(path.parent / value):
                            raise
                found.append((reader.line_num, fields))
            return found
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}).") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV file in UTF-8 ({error}); save it as one.") from None


def _text(value: str) -> str:
    """A value that has to be text; only a file's name may be none.

    Raises:
        UnicodeDecodeError: it is not in UTF-8.
    """
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode()


def _check_columns(path: Path, names: list[str]) -> None:
    known = (*COLUMNS, *BOX)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"{WANTED}."
            if ";" in name or "\t" in name:
                hint = f"values are separated by commas: {WANTED}."
            raise UserError(f"{path}:1: there is no column {name!r}; {hint}")
        if names.count(name) > 1:
            raise UserError(f"{path}:1: the column {name!r} stands there twice; {WANTED}.")
    boxed = [name for name in BOX if name in names]
    lacking = [name for name in (*COLUMNS, *(BOX if boxed else ())) if name not in names]
    if lacking:
        raise UserError(f"{path}:1: the column {lacking[0]!r} is missing; {WANTED}.")


def _row(path: Path, line: int, fields: dict[str, str], seen: dict[str, int]) -> Row:
    where = f"{path}:{line}"
    name = PurePosixPath(fields["path"])
    if "\\" in fields["path"] and not members.exists(path.parent / name):  # as Windows writes paths
        name = PurePosixPath(fields["path"].replace("\\", "/"))
    label, split = fields["label"], fields["split"]
    if not fields["path"]:
        raise UserError(f"{where}: the path is empty; give the photograph's, relative to {path.parent}.")
    if str(name) != os.path.normpath(str(name)):
        raise UserError(
            f"{where}: {fields['path']!r} goes up after it has gone down; write {os.path.normpath(str(name))!r}."
        )
    if str(name) in seen:
        raise UserError(f"{where}: {str(name)!r} stands on line {seen[str(name)]} already; keep one of the two lines.")
    if split not in SPLITS:
        near = difflib.get_close_matches(split.lower(), SPLITS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SPLITS)}."
        raise UserError(f"{where}: there is no split {split!r}; {hint}")
    if split == "train" and not label:
        raise UserError(
            f"{where}: {str(name)!r} has an empty label, and split=train needs one; give it a label, another split, "
            f"or move it to a folder of unlabelled photographs (data.views=DIR)."
        )
    seen[str(name)] = line
    return Row(str(name), label, split, _box(fields, where), line)


def _box(fields: dict[str, str], where: str) -> list[Box]:
    texts = [fields.get(name, "") for name in BOX]
    if not any(texts):
        return []
    try:
        x0, y0, x1, y1 = map(float, texts)
        sound = all(map(math.isfinite, (x0, y0, x1, y1))) and x0 < x1 and y0 < y1
    except ValueError:
        sound = False
    if not sound:
        raise UserError(
            f"{where}: {','.join(texts)} is no box: x0,y0,x1,y1 are pixels with x0 < x1 and y0 < y1, or all empty."
        )
    return [(x0, y0, x1, y1)]


def _refuse_single_images(path: Path, rows: list[Row]) -> None:
    classes: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.label and row.split in ("train", "val", "test"):
            classes[row.split, row.label].append(row)
    single = [found[0] for found in classes.values() if len(found) == 1]
    if single:
        names = first((f"{row.label!r} (split={row.split}, line {row.line})" for row in single), 3)
        raise UserError(
            f"{path}: a class needs two images at least in its split, and {len(single):,} "
            f"{'class has' if len(single) == 1 else 'classes have'} one: {names}; add images, or take the lines out."
        )
