from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepret.benchmarks.gldv2_retrieval import GLDv2Retrieval
from deepret.data.photo import Photo
from deepret.errors import UserError

INDEX = [f"{i:016x}" for i in range(6)]
SOLUTION = [
    ("q000000000000001", f"{INDEX[0]} {INDEX[3]}", "Private"),
    ("q000000000000002", INDEX[1], "Public"),
    ("q000000000000003", "None", "Ignored"),
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(GLDv2Retrieval, "count", len(INDEX))
    monkeypatch.setattr(GLDv2Retrieval, "asked", 2)
    (tmp_path / "index.csv").write_text("\n".join(["id", *INDEX]) + "\n")
    lines = [",".join(row) for row in SOLUTION]
    (tmp_path / "retrieval_solution_v2.1.csv").write_text("\n".join(["id,images,Usage", *lines]) + "\n")
    return tmp_path


def undescribed(photos: Sequence[Photo]) -> torch.Tensor:
    raise AssertionError("files are scored")


def test_a_submission_is_scored_by_its_first_hundred(root: Path) -> None:
    rows = [("q000000000000001", f"{INDEX[0]} {INDEX[1]} {INDEX[3]}"), ("q000000000000002", f"{INDEX[5]} {INDEX[1]}")]
    (root / "mine.csv").write_text("\n".join(["id,images", *(",".join(row) for row in rows)]) + "\n")
    found = GLDv2Retrieval(str(root), ranking=str(root / "mine.csv")).evaluate(undescribed)
    assert found.benchmark == "gldv2_retrieval"
    assert found.metrics == pytest.approx({"mAP": (1 + 2 / 3) / 2, "mAP public": 1 / 2})
    assert found.counts["queries"] == 2


@pytest.mark.parametrize("file", ["mine.csv", "mine.txt"])
def test_a_query_without_a_ranking_counts_as_nothing_found(root: Path, file: str) -> None:
    """As in the official program, which divides by the queries of the solution; ignored ones may be there."""
    lines = {"q000000000000002": INDEX[1], "q000000000000003": INDEX[0]}
    between, head = (",", "id,images\n") if file == "mine.csv" else (" ", "")
    (root / file).write_text(head + "".join(f"{query}{between}{names}\n" for query, names in lines.items()))
    found = GLDv2Retrieval(str(root), ranking=str(root / file)).evaluate(undescribed)
    assert found.benchmark == "gldv2_retrieval"
    assert found.metrics == pytest.approx({"mAP": 0, "mAP public": 1})
    assert (found.counts["queries"], found.counts["unranked"], found.counts["left_out"]) == (2, 1, 0)


def test_photographs_lie_in_folders_by_their_ids(root: Path) -> None:
    names = [*INDEX, *(row[0] for row in SOLUTION)]
    for name in names:
        path = root / ("test" if name[0] == "q" else "index") / name[0] / name[1] / name[2] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    codes = dict(zip(names, np.eye(9, dtype=np.float32), strict=True))
    codes["q000000000000001"] = codes[INDEX[0]] + 0.5 * codes[INDEX[3]]
    codes["q000000000000002"] = codes[INDEX[5]] + 0.5 * codes[INDEX[1]]

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.from_numpy(np.stack([codes[photo.path.stem] for photo in photos]))

    found = GLDv2Retrieval(str(root)).evaluate(describe)
    assert found.metrics == pytest.approx({"mAP": 1, "mAP public": 1 / 2})
    assert found.counts["database"] == 6  # without the test photograph that is no query


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("retrieval_solution_v2.1.csv", "id,images,Usage\nq,x,Private\n", r"line 2: x is not in index.csv"),
        ("retrieval_solution_v2.1.csv", f"id,images,Usage\nq,{INDEX[0]},Secret\n", r"line 2: usage 'Secret'; wanted"),
        ("retrieval_solution_v2.1.csv", "id,images\nq,x\n", r"it has no column Usage"),
        ("retrieval_solution_v2.1.csv", "id,images,Usage\n", r"there is no query in it"),
        ("mine.csv", f"id,images\nq000000000000001,{INDEX[0]} {INDEX[0]}\n", r"line 2: .* is ranked twice"),
        ("mine.csv", "id,images\nq000000000000001,\nq000000000000001,\n", r"line 3: q0.*1 has a ranking above already"),
        ("mine.csv", "id,images\nq000000000000003,\na,\n", r"line 3: a is no query of the ground truth"),
        ("mine.csv", "id,images\n", r"mine.csv: there is no ranking in it"),
    ],
)
def test_what_cannot_be_right_is_told(root: Path, name: str, text: str, told: str) -> None:
    (root / name).write_text(text)
    with pytest.raises(UserError, match=told):
        GLDv2Retrieval(str(root), ranking=str(root / "mine.csv") if name == "mine.csv" else None).evaluate(undescribed)


def test_missing_files_say_where_they_are(root: Path) -> None:
    (root / "index.csv").unlink()
    with pytest.raises(UserError, match=r"index.csv: cannot be read \(No such file.*google-landmark has it"):
        GLDv2Retrieval(str(root)).evaluate(undescribed)
