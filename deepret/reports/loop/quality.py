"""How good a cleaning of rendered scenes is, against their truth: what it keeps, and where its boxes are."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from deepret.cleaning.boxes.median import geometric_medians, means
from deepret.data.listing import read_list
from deepret.data.photo import Box
from deepret.data.scenes.source import Scenes, truth
from deepret.parts import build

Array = npt.NDArray[np.float64]


def cleaning_quality(folder: Path) -> dict[str, Any]:
    """What ``deepret clean`` has made of the train split of rendered scenes, as figures.

    Args:
        folder: what it wrote.

    Returns:
        ``pictures`` of the train split; ``right`` the share of them that show what their label says; ``precision`` and
        ``recall`` of those that are kept; over kept pictures that are right, ``boxes`` with one and the mean IoU with
        the true box of the whole picture (``iou_whole``), of the box before refinement (``iou_first``) and after it
        (``iou_last``). None for the mean of nothing.
    """
    config = json.loads((folder / "cleaning.json").read_text(encoding="utf-8"))["config"]
    scenes: Scenes = build(config["data"], seed=config["seed"])
    root = scenes.folder()
    train = {record["path"]: record for record in truth(root)["images"] if record["split"] == "train"}
    rows = [row for row in read_list(folder / "images.csv", single=True) if row.split == "train"]
    listed = {seen_from(root, folder, row.path): row for row in rows}
    right = {path for path, record in train.items() if record["shows"] == record["label"]}
    pairs = pq.read_table(folder / "pairs.parquet", filters=[("kept", "=", True)]).to_pydict()
    before = first_boxes(pairs, config["propagation"]["weighted"])
    boxed = [path for path, row in listed.items() if path in right and row.boxes and path in before]
    own = [train[path]["boxes"][train[path]["own"]] for path in boxed]
    whole = [(0, 0, *train[path]["size"]) for path in boxed]
    return {
        "pictures": len(train),
        "right": share(len(right), len(train)),
        **kept_rightly(listed.keys(), right),
        "boxes": len(boxed),
        "iou_whole": mean_iou(whole, own),
        "iou_first": mean_iou([before[path] for path in boxed], own),
        "iou_last": mean_iou([listed[path].boxes[0] for path in boxed], own),
    }


def seen_from(root: Path, folder: Path, path: str) -> str:
    """The path from ``root`` of a file that a list in ``folder`` names."""
    return Path(os.path.relpath(os.path.normpath(folder.resolve() / path), root.absolute())).as_posix()


def kept_rightly(kept: Collection[str], right: Collection[str]) -> dict[str, float | None]:
    """Precision, the share of what is kept that is right, and recall, the share of what is right that is kept."""
    both = len({*kept} & {*right})
    return {"precision": share(both, len(kept)), "recall": share(both, len(right))}


def share(part: int, whole: int) -> float | None:
    """A share to five digits; None of nothing."""
    return round(part / whole, 5) if whole else None


def first_boxes(pairs: Mapping[str, Sequence[Any]], weighted: bool = True) -> dict[str, Box]:
    """The boxes before refinement: of each picture the geometric median of those around its pairs' inliers.

    Args:
        pairs: columns ``first``, ``second``, ``box_first``, ``box_second``, ``inliers`` of pairs that are kept.
        weighted: whether a pair counts by its inliers.
    """
    paths = [*pairs["first"], *pairs["second"]]
    if not paths:
        return {}
    names, groups = np.unique(np.array(paths), return_inverse=True)
    points = np.array([*pairs["box_first"], *pairs["box_second"]], np.float64)
    weights = np.tile(np.array(pairs["inliers"], np.float64), 2) if weighted else np.ones(len(points))
    found = geometric_medians(points, groups, means(points, groups, len(names), weights), weights)
    return {str(name): (b[0], b[1], b[2], b[3]) for name, b in zip(names, found.tolist(), strict=True)}


def mean_iou(ones: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> float | None:
    """The mean of |A ∩ B| / |A ∪ B| over boxes in pairs, to five digits; None of nothing."""
    if not ones:
        return None
    a, b = np.array(ones, np.float64), np.array(others, np.float64)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    return round(float((common / (area(a) + area(b) - common)).mean()), 5)


def area(boxes: Array) -> Array:
    """The areas (n,) of boxes (n, 4)."""
    found: Array = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return found
