"""The revisited benchmarks, and the older ones in their pickles."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.walks import average_precision, precision_at
from PIL import Image

from deepret.benchmarks.ground_truth.pickled import read_revisited
from deepret.benchmarks.oxford5k import Oxford5k
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.roxford5k import ROxford5k
from deepret.benchmarks.rparis6k import RParis6k
from deepret.benchmarks.sources import source
from deepret.benchmarks.standing import Standing, stand
from deepret.data.photo import Photo
from deepret.errors import UserError


def undescribed(photos: Sequence[Photo]) -> torch.Tensor:
    raise AssertionError("files are scored")


def write_codes(path: Path, names: Sequence[str], codes: np.ndarray) -> str:
    np.save(path, codes.astype(np.float32))
    path.with_suffix(".txt").write_text("\n".join(names) + "\n")
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ROxford5k, RParis6k])
def test_easy_medium_and_hard_equal_a_walk_of_the_official_ground_truth(
    tmp_path: Path, ground_truth: Path, kind: type[Benchmark]
) -> None:
    """Codes of whole numbers, which tie: equal ones rank in the official order."""
    truth: dict[str, Any] = pickle.loads((ground_truth / f"gnd_{kind.name}.pkl").read_bytes())
    random = np.random.default_rng(0)
    codes, queries = random.integers(-3, 4, (len(truth["imlist"]), 6)), random.integers(-3, 4, (70, 6))
    codes[(codes == 0).all(axis=1)] = 1
    for question, query in zip(truth["gnd"], queries, strict=True):  # so that what is right is found, more or less
        codes[question["easy"]] += query // 2
    codes[(codes == 0).all(axis=1)] = 1
    files = [
        write_codes(tmp_path / f"{n}.npy", truth[key], c)
        for n, key, c in (("a", "imlist", codes), ("b", "qimlist", queries))
    ]
    found = kind(str(ground_truth), descriptors=files[0], queries=files[1]).evaluate(undescribed)

    assert found.benchmark == kind.name
    assert found.counts["queries"] == 70
    walked: dict[str, list[float]] = {}
    for question, query in zip(truth["gnd"], queries, strict=True):
        order = np.argsort(-(codes @ query), kind="stable")
        for name, right, out in (
            ("", ("easy", "hard"), ("junk",)),
            (" easy", ("easy",), ("junk", "hard")),
            (" hard", ("hard",), ("junk", "easy")),
        ):
            positives, ignored = ({i for key in keys for i in question[key]} for keys in (right, out))
            if positives:
                walked.setdefault(f"mAP{name}", []).append(average_precision(order, positives, ignored))
                for k in (1, 5, 10):
                    walked.setdefault(f"mP@{k}{name}", []).append(precision_at(order, positives, ignored, k))
    assert found.metrics.keys() == walked.keys()
    for name, values in walked.items():
        assert found.metrics[name] == pytest.approx(np.mean(values), abs=1e-12), name
    assert len(walked["mAP hard"]) == len(walked["mAP"])


@pytest.mark.usefixtures("complete")
def test_a_query_without_a_positive_of_a_kind_is_left_out_of_its_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ROxford5k, "without", {"easy": 1, "hard": 1})
    root = miniature(tmp_path, [{"easy": [0], "hard": [], "junk": []}, {"easy": [], "hard": [1], "junk": [0]}])
    codes = write_codes(
        tmp_path / "codes.npy", ["a", "b", "c", "q0", "q1"], np.array([[3, 1], [2, 2], [1, 3], [1, 0], [0, 1.0]])
    )
    found = ROxford5k(str(root), descriptors=codes).evaluate(undescribed)
    assert found.metrics["mAP"] == pytest.approx((1 + 1 / 4) / 2)  # b stands second, after c, its junk taken out
    assert found.metrics["mAP easy"] == 1
    assert found.metrics["mAP hard"] == pytest.approx(1 / 4)
    assert found.benchmark == "roxford5k"


def miniature(root: Path, truth: list[dict[str, Any]], **changed: Any) -> Path:
    whole = {"imlist": ["a", "b", "c"], "qimlist": [f"q{i}" for i in range(len(truth))]}
    whole |= {"gnd": [{"bbx": [0.0, 0.0, 9.0, 9.0], **entry} for entry in truth], **changed}
    (root / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(whole))
    return root


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ROxford5k, "count", 3)
    monkeypatch.setattr(ROxford5k, "asked", 2)


ENTRY = {"easy": [0], "hard": [1], "junk": []}


@pytest.mark.parametrize(
    ("truth", "changed", "told"),
    [
        ([{"easy": [1], "hard": [2, 3], "junk": []}], {}, r"positions run from 1 to 3, as Matlab counts"),
        ([{"easy": [0], "hard": [7], "junk": []}], {}, r"position 7 is not in imlist, which has 3 names"),
        ([{"easy": [-1], "hard": [], "junk": []}], {}, r"position -1 is not in imlist"),
        ([{"easy": [0], "hard": [0], "junk": []}], {}, r"query 0 \(q0\): a stands in its lists twice"),
        ([{**ENTRY, "bbx": [5, 0, 1, 9]}], {}, r"query 0 \(q0\): bbx .* is no box"),
        ([{**ENTRY, "bbx": [0, 0, float("nan"), 9]}], {}, r"query 0 \(q0\): bbx .* is no box"),
        ([ENTRY], {"qimlist": ["q0", "q1"]}, r"2 queries in qimlist, and 1 entries in gnd"),
        ([ENTRY], {"imlist": ["a", "b", "a"]}, r"imlist has a twice"),
        ([{"easy": [0], "hard": [1]}], {}, r"does not hold imlist, qimlist and gnd with bbx, easy, hard, junk .*junk"),
        ([ENTRY], {"gnd": 3}, r"does not hold"),
    ],
)
def test_ground_truth_that_cannot_be_right_is_told(
    tmp_path: Path, truth: list[dict[str, Any]], changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        ROxford5k(str(miniature(tmp_path, truth, **changed))).truth()


def test_the_older_ground_truth_is_the_same_in_both_forms(tmp_path: Path, ground_truth: Path) -> None:
    """But that the pickle has good and ok in one."""
    for name in ("text", "pickled"):
        (tmp_path / name).mkdir()
    (tmp_path / "text" / "groundtruth").symlink_to(ground_truth / "oxford5k_txt")
    (tmp_path / "pickled" / "gnd_oxford5k.pkl").symlink_to(ground_truth / "gnd_oxford5k.pkl")
    text, pickled = (Oxford5k(str(tmp_path / name)).truth() for name in ("text", "pickled"))
    assert len(pickled.database) == Oxford5k.count
    by_image = {question.image: question for question in text.questions}
    assert len(pickled.questions) == len(by_image) == 55
    for question in pickled.questions:
        twin = by_image[question.image]
        assert set(question.lists["ok"]) == {*twin.lists["good"], *twin.lists["ok"]}
        assert set(question.lists["junk"]) == twin.lists["junk"]
        assert question.box == pytest.approx(twin.box)


def test_what_is_published_is_named_where_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no gnd_roxford5k.pkl in it, .*revisitop"):
        ROxford5k(str(tmp_path)).evaluate(undescribed)
    with pytest.raises(UserError, match=r"there is no folder .*jpg. Put the photographs of https"):
        ROxford5k(str(miniature(tmp_path, [ENTRY]))).evaluate(undescribed)


@pytest.mark.usefixtures("complete")
def test_partial_copies_say_what_is_there(tmp_path: Path) -> None:
    root = miniature(tmp_path, [ENTRY, ENTRY])
    codes = write_codes(tmp_path / "codes.npy", ["a", "b", "q0"], np.eye(3))
    found = ROxford5k(str(root), descriptors=codes).evaluate(undescribed)
    assert found.benchmark == "roxford5k (partial: 2 of 3, 1 of 2 queries)"
    assert found.counts == {
        **{"queries": 1, "database": 2, "left_out": 1},
        **{"missing_queries": 1, "missing_positives": 0, "missing_junk": 0, "missing_distractors": 1},
    }
    more = write_codes(tmp_path / "more.npy", [], np.ones((5, 3)))
    found = ROxford5k(str(root), descriptors=codes, distractors=more).evaluate(undescribed)
    assert found.benchmark == "roxford5k+1m (partial: 7 of 1,001,004, 1 of 2 queries)"
    assert found.counts["database"] == 7
    assert math.isfinite(found.metrics["mAP"])


@pytest.mark.usefixtures("complete")
def test_what_the_ground_truth_does_not_list_is_not_ranked(tmp_path: Path) -> None:
    """Such as the 20 broken files that the archives of Paris have beyond RParis6k's list."""
    root = miniature(tmp_path, [ENTRY, ENTRY])
    names, table = ["a", "b", "c", "q0", "q1"], np.eye(5, dtype=np.float32)
    for folder, name in (*(("jpg", name) for name in names), ("more", "x")):
        (root / folder).mkdir(exist_ok=True)
        Image.new("RGB", (16, 16)).save(root / folder / f"{name}.jpg")
    (root / "jpg" / "broken.jpg").write_bytes(b"broken")

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.from_numpy(table[[[*names, "x"].index(photo.path.stem) % 5 for photo in photos]])

    found = ROxford5k(str(root)).evaluate(describe)
    assert found.benchmark == "roxford5k"
    assert [photo.path.stem for photo in found.database] == ["a", "b", "c"]
    more = ROxford5k(str(root), distractors=str(root / "more")).evaluate(describe)
    assert more.benchmark == "roxford5k+1m (partial: 4 of 1,001,004)"
    assert [photo.path.stem for photo in more.database] == ["a", "b", "c", "x"]
    codes = write_codes(root / "codes.npy", [*names, "broken"], np.eye(6)[:, :5] + 1)
    assert ROxford5k(str(root), descriptors=codes).evaluate(undescribed).counts["database"] == 3


@pytest.mark.usefixtures("complete")
def test_lists_are_as_long_as_all_settings_together_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They leave room for all that any setting takes out: here a and b as easy and hard, c as junk, of one query."""
    asked = []

    def standing(*args: Any, **how: Any) -> Standing:
        asked.append(args[3])
        return stand(*args, **how)

    monkeypatch.setattr(source, "stand", standing)
    root = miniature(tmp_path, [{"easy": [0], "hard": [1], "junk": [2]}, {"easy": [0], "hard": [1], "junk": []}])
    codes = write_codes(tmp_path / "codes.npy", ["a", "b", "c", "q0", "q1"], np.eye(5) + 1)
    found = ROxford5k(str(root), descriptors=codes).evaluate(undescribed)
    assert asked == [3]
    assert sorted(found.ranking[0].tolist()) == [-1, 0, 1]


def test_reads_the_official_revisited_ground_truth(ground_truth: Path) -> None:
    found = read_revisited(ground_truth / "gnd_roxford5k.pkl", ("easy", "hard", "junk"))
    assert (len(found.database), len(found.questions)) == (ROxford5k.count, ROxford5k.asked)
    assert found.questions[0].box == pytest.approx((136.5, 34.1, 648.5, 955.7))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"easy": [0.9]}, "ValueError: 0.9 where a position should be"),
        ({"easy": [math.nan]}, "nan where a position should be"),
        ({"easy": [2**63]}, "9223372036854775808 where a position should be"),
        ({"easy": [10**30]}, "a whole number of more than 64 bits"),
        ({"easy": ["0"]}, "where numbers should be"),
        ({"easy": [True]}, "bool where numbers should be"),
        ({"easy": [[0], [1, 2]]}, "it does not hold"),
        ({"bbx": ["0", "0", "9", "9"]}, "where numbers should be"),
        ({"imlist": "abc"}, "a str where a list of names should be"),
        ({"imlist": ["a", ["b"], "c"]}, "a list where a name should be"),
        ({"gnd": [np.float64(2)]}, "it does not hold"),
        ({"gnd": 3}, "it does not hold"),
        (np.arange(3), "it does not hold"),
    ],
)
def test_what_is_no_ground_truth_is_told(tmp_path: Path, changed: Any, told: str) -> None:
    entry = {"bbx": [0, 0, 9, 9], "easy": [0.0, 2], "hard": np.array([1.0]), "junk": np.zeros((0, 2))}
    held = {"imlist": ["a", "b", "c"], "qimlist": np.array(["q"]), "gnd": [entry]}
    path = tmp_path / "gnd.pkl"
    path.write_bytes(pickle.dumps(held))
    [question] = read_revisited(path, ("easy", "hard", "junk")).questions
    assert question.lists == {"easy": ["a", "c"], "hard": ["b"], "junk": []}
    if isinstance(changed, dict):
        entry.update({key: value for key, value in changed.items() if key in entry})
        held.update({key: value for key, value in changed.items() if key in held})
    path.write_bytes(pickle.dumps(held if isinstance(changed, dict) else changed))
    with pytest.raises(UserError, match=told):
        read_revisited(path, ("easy", "hard", "junk"))
