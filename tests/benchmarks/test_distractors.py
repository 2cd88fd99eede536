"""Rankings of a database with distractors: Oxford105k, and the million of the revisited benchmarks, in miniature."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.walks import average_precision

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
    (tmp_path / "groundtruth").mkdir()
    for kind, text in {"query": "oxc1_a 0 0 9 9", "good": "a", "ok": "c", "junk": "b\nd"}.items():
        (tmp_path / "groundtruth" / f"tower_1_{kind}.txt").write_text(f"{text}\n")
    return tmp_path


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
        with pytest.raises(UserError, match="q ranks 0a/x2 twice"):
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
    ranking = ranked(oxford, "tower_1", ["a", "c", "e", *MORE])
    found = Oxford5k(str(oxford), ranking=ranking).evaluate(undescribed)
    assert found.benchmark == "oxford5k (and 4 more)"
    found = Oxford5k(str(oxford), ranking=ranking, distractors=listed(oxford, MORE[:3])).evaluate(undescribed)
    assert found.benchmark == "oxford105k (partial: 8 of 9)"  # y is none of the five, nor a distractor
    assert found.counts["missing_distractors"] == 1
    ranking = ranked(oxford, "tower_1", ["a", "c", *MORE[:3]])
    found = Oxford5k(str(oxford), ranking=ranking, distractors=listed(oxford, MORE[:3])).evaluate(undescribed)
    assert found.benchmark == "oxford105k (partial: 8 of 9)"


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
