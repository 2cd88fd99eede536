from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepret.cleaning.output import SCHEMA
from deepret.data.scenes.source import Scenes
from deepret.reports.loop.quality import cleaning_quality, first_boxes, kept_rightly, mean_iou, seen_from

SMALL: dict[str, Any] = {"train_classes": 2, "val_classes": 1, "test_classes": 1, "images_per_class": 4, "size": 64}
SMALL |= {"distractors": 1, "noise": 0.25, "seed": 3}


def test_precision_and_recall() -> None:
    assert kept_rightly({"a", "b", "c", "d"}, {"a", "b", "c", "e", "f"}) == {"precision": 0.75, "recall": 0.6}
    assert kept_rightly(set(), {"a"}) == {"precision": None, "recall": 0.0}


def test_mean_iou() -> None:
    whole, half, apart = (0, 0, 10, 10), (0, 0, 5, 10), (20, 20, 30, 30)
    assert mean_iou([whole, half, apart], [whole, whole, whole]) == 0.5
    assert mean_iou([(0, 0, 4, 4)], [(2, 2, 6, 6)]) == round(4 / 28, 5)
    assert mean_iou([], []) is None


def test_the_first_box_is_the_median_of_the_pairs_and_weighs_them() -> None:
    pairs = {
        "first": ["a", "a", "b"],
        "second": ["b", "c", "c"],
        "box_first": [[0, 0, 10, 10], [0, 0, 20, 10], [1, 1, 5, 5]],
        "box_second": [[3, 3, 7, 7], [2, 2, 8, 8], [2, 2, 8, 8]],
        "inliers": [100, 1, 1],
    }
    found = first_boxes(pairs)
    assert found["a"] == pytest.approx((0, 0, 10, 10))  # √100 against √1: the median is the heavier point
    assert found["b"] == pytest.approx((3, 3, 7, 7))
    assert found["c"] == pytest.approx((2, 2, 8, 8))
    plain = first_boxes({**pairs, "inliers": [1, 1, 1]}, weighted=False)
    assert plain["a"][:2] == pytest.approx((0, 0))
    assert 10 <= plain["a"][2] <= 20  # of two points every place between is a median
    assert first_boxes({key: [] for key in pairs}) == {}


def test_files_are_seen_from_where_they_are(tmp_path: Path) -> None:
    root, folder = tmp_path / "scenes", tmp_path / "out" / "cleaned"
    assert seen_from(root, folder, "../../scenes/train/a/0.jpg") == "train/a/0.jpg"
    assert seen_from(root, folder, str(root / "train" / "a" / "0.jpg")) == "train/a/0.jpg"


@pytest.mark.slow
def test_a_cleaning_is_held_against_the_truth(tmp_path: Path, cache: Path) -> None:
    scenes = Scenes(**SMALL, cache=str(cache))
    root = scenes.folder()
    train = [r for r in json.loads((root / "scenes.json").read_text())["images"] if r["split"] == "train"]
    right = [r for r in train if r["shows"] == r["label"]]
    wrong = [r for r in train if r["shows"] != r["label"]]
    assert (len(train), len(wrong)) == (8, 2)
    kept = [*right[:3], wrong[0]]  # three rightly, of which one has no box, and one wrongly
    true = {r["path"]: r["boxes"][r["own"]] for r in kept}
    lines = ["path,label,split,x0,y0,x1,y1"]
    for i, r in enumerate(kept):
        box = ",".join(map(str, true[r["path"]])) if i != 2 else ",,,"
        lines.append(f"{os.path.relpath(root / r['path'], tmp_path)},{r['label']},train,{box}")
    (tmp_path / "images.csv").write_text("\n".join(lines))
    first, second = right[0]["path"], right[1]["path"]
    x0, y0, x1, y1 = true[second]
    half = [x0, y0, (x0 + x1) / 2, y1]
    pair = {"label": "x", "first": first, "second": second, "tentative": 9, "inliers": 9, "cells": 9, "score": 9.0}
    pair |= {"kept": True, "transform": [1.0] * 9, "box_first": true[first], "box_second": half}
    stray = {**pair, "kept": False, "box_first": [0.0, 0.0, 1.0, 1.0], "inliers": 999}
    pq.write_table(pa.Table.from_pylist([pair, stray], schema=SCHEMA), tmp_path / "pairs.parquet")
    target = f"{Scenes.__module__}.{Scenes.__name__}"
    config = {"data": {"_target_": target, **SMALL, "cache": str(cache)}, "seed": 0, "propagation": {"weighted": True}}
    (tmp_path / "cleaning.json").write_text(json.dumps({"config": config}))

    found = cleaning_quality(tmp_path)
    whole = [math.prod(b - a for a, b in zip(true[p][:2], true[p][2:], strict=True)) for p in (first, second)]
    sides = [math.prod(r["size"]) for r in right[:2]]
    shares = [part / all_of_it for part, all_of_it in zip(whole, sides, strict=True)]
    assert found == {
        "pictures": 8,
        "right": 0.75,
        "precision": 0.75,
        "recall": 0.5,
        "boxes": 2,
        "iou_whole": pytest.approx(sum(shares) / 2, abs=1e-5),
        "iou_first": 0.75,
        "iou_last": 1.0,
    }
