"""What a cleaning leaves in its folder: a catalogue, why the rest was dropped, and the pairs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deepret.cleaning.stages import Cleaned
from deepret.comma_separated import comma_separated
from deepret.data.catalogue import Catalogue
from deepret.data.listing import Row
from deepret.data.photo import Box
from deepret.files import replacing, write_whole


def cleaned_catalogue(found: Cleaned, out: Path) -> Catalogue:
    """The catalogue as it is after cleaning, seen from ``out``.

    What was kept has its new label and the box that verified pairs give, or none; what was not to be cleaned, or is of
    a class that is kept without any verified pair, is as it was.

    Args:
        found: what came out.
        out: the folder that paths are relative to, where they can be.
    """
    before = found.catalogue
    labels = {row: label for one in found.classes for row, label in one.labels.items()}
    looked_at = {row for one in found.classes for row in one.rows}
    rows = [row for row in range(len(before)) if row in labels or (row not in looked_at and not before.views[row])]
    linked = {row for one in found.classes if len(one.verified) for row in one.labels}
    own = [[box] if (box := box_of(found, row)) else [] for row in rows]
    boxes = [box if row in linked else before.boxes[row] for row, box in zip(rows, own, strict=True)]
    return replace(
        before.subset(rows),
        root=out,
        paths=[seen_from(out, before.root / before.paths[row]) for row in rows],
        labels=[labels.get(row, before.labels[row]) for row in rows],
        boxes=boxes,
        pairs=[],
    )


def box_of(found: Cleaned, row: int) -> Box | None:
    """The box of a row after refinement, within its image; None where there is none of a pixel each way."""
    box = found.boxes.last[row]
    if not np.isfinite(box).all():
        return None
    width, height = found.catalogue.sizes[row]
    x0, y0, x1, y1 = (round(float(v), 1) for v in np.clip(box, 0, [width, height, width, height]))
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def seen_from(folder: Path, file: Path) -> str:
    """The path of a file relative to a folder, with ``/``; absolute where they have nothing in common.

    So both may move together, as long as they lie beside each other somewhere. What stands before a ``..`` is
    resolved: that of a symbolic link leads to where the link's target lies, not back to the link.
    """
    parts = file.absolute().parts
    turn = max((i + 1 for i, part in enumerate(parts) if part == ".."), default=0)
    there, here = Path(*parts[:turn]).resolve() if turn else Path(), folder.resolve()
    there = there.joinpath(*parts[turn:])
    if there.parts[:2] != here.parts[:2]:  # another drive, or only the root of the file system above both
        return there.as_posix()
    return PurePath(os.path.relpath(there, here)).as_posix()


def dropped(found: Cleaned, left_out: Sequence[tuple[Row, str]]) -> list[tuple[str, str, str, str]]:
    """Path, label, split and reason of each photograph that is not in the cleaned catalogue, by label and path.

    Args:
        found: what came out.
        left_out: photographs that the catalogue had not, with why.
    """
    catalogue = found.catalogue
    rows = [
        (catalogue.paths[row], one.label, catalogue.splits[row], why)
        for one in found.classes
        for row, why in one.reasons.items()
    ]
    rows += [(row.path, row.label, row.split, why) for row, why in left_out]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def write_dropped(path: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Writes ``dropped.csv``; its paths are relative to the folder that was cleaned.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    text = comma_separated([("path", "label", "split", "reason"), *rows])
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def write_pairs(path: Path, found: Cleaned) -> int:
    """Writes the verified pairs as ``pairs.parquet``, a row group a class; gives how many there are.

    The columns: label, first and second (paths in the folder that was cleaned), tentative, inliers, cells, score, kept
    (whether both are, under one label), transform (nine numbers, row by row, from pixels of the first to pixels of the
    second), box_first and box_second (around the inliers, x0, y0, x1, y1 in pixels).

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    names, count = found.catalogue.paths, 0
    with replacing(path) as part, pq.ParquetWriter(part, SCHEMA, compression="zstd") as writer:
        for one in found.classes:
            pairs = one.verified
            kept = [
                one.labels.get(a) is not None and one.labels.get(a) == one.labels.get(b) for a, b in pairs.rows.tolist()
            ]
            columns = {
                "label": [_text(one.label)] * len(pairs),
                "first": [_text(names[row]) for row in pairs.rows[:, 0].tolist()],
                "second": [_text(names[row]) for row in pairs.rows[:, 1].tolist()],
                "tentative": pairs.tentative,
                "inliers": pairs.inliers,
                "cells": pairs.cells,
                "score": pairs.scores,
                "kept": kept,
                "transform": pairs.transforms.reshape(-1, 9).tolist(),
                "box_first": pairs.boxes[:, 0].tolist(),
                "box_second": pairs.boxes[:, 1].tolist(),
            }
            writer.write_table(pa.table(columns, schema=SCHEMA))
            count += len(pairs)
    return count


SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("label", "first", "second")),
        *((name, pa.int32()) for name in ("tentative", "inliers", "cells")),
        ("score", pa.float64()),
        ("kept", pa.bool_()),
        *((name, pa.list_(pa.float64())) for name in ("transform", "box_first", "box_second")),
    ]
)


def _text(name: str) -> str:
    """A name as UTF-8 has it: bytes of a file name that are none become question marks."""
    return name.encode("utf-8", "replace").decode()
