"""Google Landmarks v2, recognition, in a miniature of its layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepret.benchmarks.gldv2_recognition import GLDv2Recognition
from deepret.benchmarks.sources.predictions import Prediction, predict
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.reports.table import published_table, results_table
from deepret.search.exact import ExactIndex

TRAIN = {7: ["a1", "a2"], 42: ["b1", "b2", "b3"], 138982: ["c1"]}
SOLUTION = [
    *[("q9", "7", "Private"), ("q1", "42 7", "Private"), ("q2", "", "Private"), ("q3", "138982", "Private")],
    *[("q4", "42", "Public"), ("q5", "", "Public"), ("q6", "5", "Public"), ("q7", "7", "Ignored")],
]
NAMES = [name for names in TRAIN.values() for name in names]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(GLDv2Recognition, "count", 6)
    monkeypatch.setattr(GLDv2Recognition, "unclean", 7)
    monkeypatch.setattr(GLDv2Recognition, "asked", len(SOLUTION))
    monkeypatch.setattr(GLDv2Recognition, "showing", 5)
    rows = [f"{landmark},{' '.join(names)}" for landmark, names in TRAIN.items()]
    (tmp_path / "train_clean.csv").write_text("\n".join(["landmark_id,images", *rows]) + "\n")
    rows = [f"{name},http://x,{landmark}" for landmark, names in TRAIN.items() for name in names]
    (tmp_path / "train.csv").write_text("\n".join(["id,url,landmark_id", *rows, "d1,http://x,5"]) + "\n")
    rows = [",".join(row) for row in SOLUTION]
    (tmp_path / "recognition_solution_v2.1.csv").write_text("\n".join(["id,landmarks,Usage", *rows]) + "\n")
    return tmp_path


def undescribed(photos: Sequence[Photo]) -> torch.Tensor:
    raise AssertionError("files are scored")


def submission(root: Path, rows: dict[str, str], ending: str = "csv") -> str:
    path = root / f"mine.{ending}"
    lines = [f"{query},{said}" for query, said in rows.items()]
    text = "\n".join(["id,landmarks", *lines]) if ending == "csv" else "\n".join(f"{q}  {s}" for q, s in rows.items())
    path.write_text(text + "\n")
    return str(path)


def gap(predicted: dict[str, tuple[int, float]], usage: str) -> float:
    """By walking the predictions as the organisers' program does: by confidence, then by id."""
    truth = {name: set(landmarks.split()) for name, landmarks, use in SOLUTION if use == usage}
    rows = sorted((-confidence, name, landmark) for name, (landmark, confidence) in predicted.items() if name in truth)
    total, right = 0.0, 0
    for place, (_, name, landmark) in enumerate(rows, start=1):
        if str(landmark) in truth[name]:
            right += 1
            total += right / place
    return total / sum(bool(landmarks) for landmarks in truth.values())


SAID = {
    **{"q9": (7, 0.5), "q1": (7, 0.5), "q2": (42, 0.5), "q3": (42, 0.9)},
    **{"q4": (42, -0.25), "q5": (138982, 0.75), "q7": (7, 1.0)},
}


@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_a_submission_equals_a_walk_of_its_predictions(root: Path, ending: str) -> None:
    """Equally confident ones are ordered by id; q6 is not predicted, but it shows a landmark; q7 is ignored."""
    rows = {name: f"{landmark} {confidence}" for name, (landmark, confidence) in SAID.items()}
    path = submission(root, {**rows, "q6": ""}, ending)
    found = GLDv2Recognition(str(root), ranking=path).evaluate(undescribed)
    assert found.benchmark == "gldv2_recognition"
    wanted = {"GAP": gap(SAID, "Private"), "GAP public": gap(SAID, "Public")}
    assert found.metrics == pytest.approx(wanted, abs=1e-15)
    # private: q3 wrong, q1 right at 2, q2 wrong, q9 right at 4, of three; public: q5 wrong, q4 right at 2, of two
    assert found.metrics == pytest.approx({"GAP": (1 / 2 + 2 / 4) / 3, "GAP public": 1 / 2 / 2})
    assert found.counts["queries"] == 7
    assert (found.counts["with_landmark"], found.counts["predicted"]) == (5, 6)
    assert found.summary()["mAP"] == found.summary()["GAP"] == pytest.approx(1 / 3, abs=1e-5)
    assert "mAP" not in results_table({"mine": found})
    assert "smlyaka" in published_table([found])


def test_random_submissions_equal_the_walk(root: Path) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        said = {
            row[0]: (int(random.choice([7, 42, 138982])), float(random.integers(-1, 3)))
            for row in SOLUTION
            if random.random() < 0.8
        }
        path = submission(root, {"q9": "", **{name: f"{a} {b}" for name, (a, b) in said.items()}})
        found = GLDv2Recognition(str(root), ranking=path).evaluate(undescribed)
        for name, usage in (("GAP", "Private"), ("GAP public", "Public")):
            assert found.metrics[name] == pytest.approx(gap(said, usage), abs=1e-15)


def codes_of(names: Sequence[str], seed: int = 0) -> dict[str, np.ndarray]:
    """Of whole numbers, so that sums are exact and some tie."""
    random = np.random.default_rng(seed)
    return {name: random.integers(-2, 3, 3).astype(np.float32) + np.float32(0.5) for name in names}


def by_hand(codes: dict[str, np.ndarray], queries: Sequence[str], k: int) -> dict[str, tuple[int, float]]:
    """The landmark with the largest sum among the k nearest, of equal ones that of the nearer photograph."""
    landmark = {name: number for number, names in TRAIN.items() for name in names}
    found = {}
    for query in queries:
        scores = {name: float(codes[name] @ codes[query]) for name in NAMES}
        near = sorted(NAMES, key=lambda name: (-scores[name], NAMES.index(name)))[:k]
        sums: dict[int, float] = {}
        for name in near:
            sums[landmark[name]] = sums.get(landmark[name], 0.0) + scores[name]
        best = max(sums, key=lambda number: sums[number])
        found[query] = (best, sums[best])
    return found


@pytest.mark.parametrize("k", [1, 3, 9])
@pytest.mark.parametrize("index", [None, ExactIndex])
def test_predictions_come_from_the_nearest_photographs(root: Path, k: int, index: type[ExactIndex] | None) -> None:
    queries = [row[0] for row in SOLUTION if row[2] != "Ignored"]
    for seed in range(5):
        codes = codes_of([*NAMES, *queries, "q7"], seed)
        np.save(root / "codes.npy", np.stack(list(codes.values())))
        (root / "codes.txt").write_text("\n".join(codes))
        made = GLDv2Recognition(str(root), descriptors=str(root / "codes.npy"), neighbours=k, index=index)
        found = made.evaluate(undescribed)
        said = by_hand(codes, queries, k)
        wanted = {"GAP": gap(said, "Private"), "GAP public": gap(said, "Public")}
        assert found.metrics == pytest.approx(wanted, abs=1e-15)
        assert found.benchmark == "gldv2_recognition"
        assert (found.counts["database"], found.counts["predicted"]) == (6, 7)


def test_photographs_lie_in_folders_by_their_ids(root: Path) -> None:
    queries = [row[0] for row in SOLUTION]
    for name in [*NAMES, *queries, "zz"]:
        path = root / ("test" if name[0] == "q" else "train") / name[0] / name[1] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    codes = codes_of([*NAMES, *queries])

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.from_numpy(np.stack([codes[photo.path.stem] for photo in photos]))

    found = GLDv2Recognition(str(root)).evaluate(describe)
    said = by_hand(codes, [name for name in queries if name != "q7"], 3)
    assert found.metrics == pytest.approx({"GAP": gap(said, "Private"), "GAP public": gap(said, "Public")}, abs=1e-15)
    assert [photo.path.stem for photo in found.queries] == ["q1", "q3", "q4", "q6", "q9"]  # those with a landmark
    assert [photo.path.stem for photo in found.database] == NAMES
    assert found.relevant == [{0, 1, 2, 3, 4}, {5}, {2, 3, 4}, set(), {0, 1}]
    truth = {row[0]: row[1].split() for row in SOLUTION}
    assert found.ap.tolist() == [str(said[name][0]) in truth[name] for name in ("q1", "q3", "q4", "q6", "q9")]
    found.database[5].path.unlink()
    found.queries[1].path.unlink()
    part = GLDv2Recognition(str(root)).evaluate(describe)
    assert part.benchmark == "gldv2_recognition (partial: 5 of 6, 6 of 7 queries)"
    assert (part.counts["missing_queries"], part.counts["missing_positives"]) == (1, 1)
    assert (
        GLDv2Recognition(str(root), clean=False)
        .evaluate(describe)
        .benchmark.startswith("gldv2_recognition (partial: 5 of 7,")
    )


def test_what_an_index_does_not_find_says_nothing() -> None:
    scores, places = torch.tensor([[0.5, 9.0, 9.0], [9.0, 9.0, 9.0]]), torch.tensor([[1, -1, -1], [-1, -1, -1]])
    assert predict(scores, places, torch.tensor([3, 4])) == [Prediction(4, 0.5), None]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("mine.csv", "id,landmarks\nq1,7 high\n", r"mine.csv, line 2: 'high' is no confidence"),
        ("mine.csv", "id,landmarks\nq1,7 nan\n", r"line 2: 'nan' is no confidence"),
        ("mine.csv", "id,landmarks\nq1,tower 1\n", r"line 2: 'tower' is no landmark"),
        ("mine.csv", f"id,landmarks\nq1,{'9' * 5000} 1\n", r"line 2: '9{40}' is no landmark"),
        ("mine.csv", "id,landmarks\nq1,7\n", r"line 2: '7'; wanted: a landmark and its confidence, or nothing"),
        ("mine.csv", "id,landmarks\nq1,\nq1,\n", r"line 3: q1 has a prediction above already"),
        ("mine.csv", "id,landmarks\nx,\n", r"line 2: x is no query of the solution"),
        ("mine.csv", "id,landmarks\n", r"there is no prediction in it"),
        ("mine.csv", "q1,7 1\n", r"mine.csv: it has no column id, landmarks"),
        ("mine.txt", "q1 7 0.5 3\n", r"mine.txt, line 1: '7 0.5 3'; wanted"),
        ("recognition_solution_v2.1.csv", "id,landmarks,Usage\nq,x,Private\n", r"line 2: 'x' is no landmark"),
        (
            "recognition_solution_v2.1.csv",
            f"id,landmarks,Usage\nq,{'9' * 19},Private\n",
            r"line 2: '9{19}' is no landmark",
        ),
        (
            "recognition_solution_v2.1.csv",
            "id,landmarks,Usage\nq,,Private\nq,,Public\n",
            r"line 3: q stands there twice",
        ),
        ("recognition_solution_v2.1.csv", "id,landmarks,Usage\nq,,Private\n", r"none of the 1 queries"),
        ("train_clean.csv", "landmark_id,images\n7,a b\n8,b\n", r"train_clean.csv, line 3: b stands there twice"),
        ("train_clean.csv", "landmark_id,images\nx,a b\n", r"line 2: 'x' is no landmark"),
        ("train_clean.csv", f"landmark_id,images\n{'9' * 25},a b\n", r"line 2: '9{25}' is no landmark"),
        ("train_clean.csv", "", r"train_clean.csv: it has no column landmark_id, images"),
    ],
)
def test_what_cannot_be_right_is_told(root: Path, name: str, text: str, told: str) -> None:
    (root / name).write_text(text)
    with pytest.raises(UserError, match=told):
        GLDv2Recognition(str(root), ranking=str(root / name) if "mine" in name else None).evaluate(undescribed)


def test_two_sources_are_told(root: Path) -> None:
    with pytest.raises(UserError, match="two sources of rankings"):
        GLDv2Recognition(str(root), ranking="a", descriptors="b").evaluate(undescribed)
