"""Rankings of a database with distractors: Oxford105k, and the million of the revisited benchmarks, in miniature."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from benchmarks.walks import average_precision
from hypothesis import given
from hypothesis import strategies as st

from deepret.benchmarks.oxford5k import Oxford5k
from deepret.benchmarks.roxford5k import ROxford5k
from deepret.data.photo import Photo
from deepret.errors import UserError

OFFICIAL = ["a", "b", "c", "d"]
MORE = ["0a/x1", "0a/x2", "0b/x1", "y"]


def undescribed(photos: Sequence[Photo]) -> torch.Tensor:
    raise AssertionError("files are scored")


@pytest.fixture
def revisited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("count", len(OFFICIAL)), ("asked", 1), ("enlarged", ("roxford5k+1m", len(MORE)))):
        monkeypatch.setattr(ROxford5k, name, value)
    gnd = [{"bbx": [0.0, 0.0, 9.0, 9.0], "easy": [0], "hard": [2], "junk": [1]}]
    (tmp_path / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({"imlist": OFFICIAL, "qimlist": ["q"], "gnd": gnd}))
    return tmp_path


@pytest.fixture
def oxford(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of five photographs the text files name four."""
    for name, value in (("count", 5), ("asked", 1), ("enlarged", ("oxford105k", len(MORE)))):
        monkeypatch.setattr(Oxford5k, name, value)
    return texts(tmp_path)


def texts(root: Path) -> Path:
    (root / "groundtruth").mkdir()
    for kind, text in {"query": "oxc1_a 0 0 9 9", "good": "a", "ok": "c", "junk": "b\nd"}.items():
        (root / "groundtruth" / f"tower_1_{kind}.txt").write_text(f"{text}\n")
    return root


def listed(root: Path, names: Sequence[str] = MORE, file: str = "more.txt") -> str:
    (root / file).write_text("".join(f"{name}.jpg\n" for name in names))
    return str(root / file)


def ranked(root: Path, query: str, names: Sequence[str]) -> str:
    (root / "ranking.txt").write_text(f"{query} {' '.join(names)}\n")
    return str(root / "ranking.txt")


def test_rankings_that_name_distractors_equal_a_walk(revisited: Path) -> None:
    more = listed(revisited)
    random = np.random.default_rng(0)
    for _ in range(20):
        names = random.permutation([*OFFICIAL, *MORE]).tolist()[: random.integers(3, 9)]
        ranking = ranked(revisited, "q", names)
        found = ROxford5k(str(revisited), ranking=ranking, distractors=more).evaluate(undescribed)
        assert found.benchmark == "roxford5k+1m"
        assert found.counts["database"] == 8
        assert found.metrics["mAP"] == pytest.approx(average_precision(names, {"a", "c"}, {"b"}), abs=1e-12)


def test_a_folder_names_them_too_and_the_last_part_will_do_where_it_is_one_photograph_s(revisited: Path) -> None:
    for name in MORE:
        path = revisited / "r1m" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for distractors in (str(revisited / "r1m"), listed(revisited)):
        made = ROxford5k(str(revisited), ranking=ranked(revisited, "q", ["x2.jpg", "a"]), distractors=distractors)
        assert made.evaluate(undescribed).metrics["mAP"] == pytest.approx(average_precision("xa", "ac", ()))
        with pytest.raises(UserError, match=r"q ranks x1, which is neither in the database nor among benchmark.dist"):
            ROxford5k(str(revisited), ranking=ranked(revisited, "q", ["x1"]), distractors=distractors).evaluate(
                undescribed
            )
        with pytest.raises(UserError, match="line 1: 0a/x2 is ranked twice"):
            ROxford5k(
                str(revisited), ranking=ranked(revisited, "q", ["x2", "0a/x2"]), distractors=distractors
            ).evaluate(undescribed)


def test_an_official_photograph_keeps_its_name(revisited: Path) -> None:
    """Though a distractor's last part is the same."""
    made = ROxford5k(str(revisited), ranking=ranked(revisited, "q", ["a", "c"]), distractors=listed(revisited, ["0/a"]))
    found = made.evaluate(undescribed)
    assert found.metrics["mAP"] == 1
    assert found.benchmark == "roxford5k+1m (partial: 5 of 8)"
    assert found.counts["missing_distractors"] == 3


def test_without_distractors_an_unknown_name_says_what_names_it(revisited: Path) -> None:
    with pytest.raises(UserError, match=r"q ranks y, which is neither in the database nor named by benchmark.distract"):
        ROxford5k(str(revisited), ranking=ranked(revisited, "q", ["a", "y"])).evaluate(undescribed)


def test_where_the_truth_names_only_some_a_short_ranking_is_one_of_the_whole_database(oxford: Path) -> None:
    found = Oxford5k(str(oxford), ranking=ranked(oxford, "tower_1", ["a", "b"])).evaluate(undescribed)
    assert found.benchmark == "oxford5k"
    assert found.counts["database"] == 5
    assert found.metrics["mAP"] == pytest.approx(1 / 2)
    more = Oxford5k(str(oxford), ranking=ranked(oxford, "tower_1", ["a", *MORE, "c"]), distractors=listed(oxford))
    found = more.evaluate(undescribed)
    assert found.benchmark == "oxford105k"
    assert found.counts["database"] == 9
    assert found.metrics["mAP"] == pytest.approx((1 + (1 / 5 + 2 / 6) / 2) / 2)


def test_where_the_truth_names_only_some_names_beyond_the_published_are_said(oxford: Path) -> None:
    others = [f"oxford_{i:06d}" for i in range(5)]
    found = Oxford5k(str(oxford), ranking=ranked(oxford, "tower_1", ["a", "c", *others])).evaluate(undescribed)
    assert found.benchmark == "oxford5k (and 4 more)"
    for kind, text in {"query": "oxc1_b 0 0 9 9", "good": "c", "ok": "", "junk": ""}.items():
        (oxford / "groundtruth" / f"tower_2_{kind}.txt").write_text(text)
    ranking = ranked(oxford, "tower_1", ["a", *others[:2], "\ntower_2", "c", *others[2:]])  # short, and nine in all
    assert Oxford5k(str(oxford), ranking=ranking).evaluate(undescribed).benchmark == "oxford5k (and 4 more)"
    for file in (oxford / "groundtruth").glob("tower_2_*"):
        file.unlink()
    ranking = ranked(oxford, "tower_1", ["a", "c", *others[:2], *MORE[:3]])
    found = Oxford5k(str(oxford), ranking=ranking, distractors=listed(oxford, MORE[:3])).evaluate(undescribed)
    assert found.benchmark == "oxford105k (partial: 8 of 9)"  # y is none of the five, nor a distractor
    assert found.counts["missing_distractors"] == 1
    ranking = ranked(oxford, "tower_1", ["a", "c", *MORE[:3]])
    found = Oxford5k(str(oxford), ranking=ranking, distractors=listed(oxford, MORE[:3])).evaluate(undescribed)
    assert found.benchmark == "oxford105k (partial: 8 of 9)"


@pytest.mark.parametrize(
    "words",
    [
        "b a oxford_000009 c",
        "images/b.jpg images/oxc1_a.jpg oxc1_oxford_000009 deep/folder/c",
        "b 9 a 8 oxford_000009 7 c 6",
        "b 0.9 oxc1_a 0.8 oxford_000009 0.7 c 0.6",
    ],
)
@pytest.mark.parametrize("query", ["tower_1", "a", "oxc1_a", "images/oxc1_a.jpg"])
def test_folders_the_published_prefix_and_scores_are_no_part_of_a_name(oxford: Path, query: str, words: str) -> None:
    found = Oxford5k(str(oxford), ranking=ranked(oxford, query, words.split())).evaluate(undescribed)
    assert found.benchmark == "oxford5k"
    assert found.metrics["mAP"] == pytest.approx(average_precision("baec", "ac", "bd"), abs=1e-12)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("0 a 1 c", r"line 1: tower_1 ranks 0, which is neither .* \(wanted: names such as oxford_000001\)"),
        ("a 0.5 c", r"tower_1 ranks 0.5, which is neither"),
        ("a Tower_000001", r"tower_1 ranks Tower_000001"),
        ("a tower_00001", r"tower_1 ranks tower_00001"),
        ("a 000001", r"tower_1 ranks 000001"),
        ("a oxc1_a", r"line 1: a is ranked twice"),
        ("oxford_000001 b", r"no ranking has any photograph that is right .* such as oxford_000001"),
        ("", r"no ranking has any photograph that is right"),
    ],
)
def test_names_that_no_photograph_has_are_told(oxford: Path, words: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Oxford5k(str(oxford), ranking=ranked(oxford, "tower_1", words.split())).evaluate(undescribed)


@given(st.permutations(["a", "b", "c", "d", "zoo_000001", "abbey_000002", *MORE]), st.integers(1, 10))
def test_the_order_of_what_the_truth_leaves_out_changes_nothing(names: list[str], length: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in (("count", 6), ("asked", 1), ("enlarged", ("oxford105k", len(MORE)))):
            patch.setattr(Oxford5k, name, value)
        root = texts(Path(folder))
        names = names[:length]
        ranking = ranked(root, "tower_1", ["a", *(name for name in names if name != "a")])
        found = Oxford5k(folder, ranking=ranking, distractors=listed(root)).evaluate(undescribed)
    order = ["a", *(name for name in names if name != "a")]
    assert found.metrics["mAP"] == pytest.approx(average_precision(order, "ac", "bd"), abs=1e-12)
    database = sorted({"a", "b", "c", "d", *names} - set(MORE)) + MORE
    shown = [name for name in order if name not in "bd"]
    assert [database[i] for i in found.ranking[0].tolist() if i >= 0] == shown


def test_a_list_may_name_the_official_photographs_too(revisited: Path) -> None:
    everything = listed(revisited, [*OFFICIAL, *MORE])
    made = ROxford5k(str(revisited), ranking=ranked(revisited, "q", ["y", "a", "c"]), distractors=everything)
    assert made.evaluate(undescribed).benchmark == "roxford5k+1m"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"x.jpg\nx.png\n", r"more.txt: x stands there twice"),
        (b"\n\n", r"more.txt: there is no photograph in it"),
        (b"\xff\xfe\x00", r"benchmark.distractors=.*more.txt: neither a folder of photographs nor a list"),
        (None, r"benchmark.distractors=.*more.txt: neither a folder of photographs nor a list.*No such file"),
    ],
)
def test_lists_that_are_none_are_told(revisited: Path, data: bytes | None, told: str) -> None:
    if data is not None:
        (revisited / "more.txt").write_bytes(data)
    made = ROxford5k(str(revisited), ranking=ranked(revisited, "q", ["a"]), distractors=str(revisited / "more.txt"))
    with pytest.raises(UserError, match=told):
        made.evaluate(undescribed)
