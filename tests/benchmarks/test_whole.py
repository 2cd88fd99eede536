"""Copies of the published size, with tiny codes: plain names and figures of others beside; one less, and neither."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from benchmarks.test_classes import cars, cub, sop

from deepret.benchmarks.buildings import Buildings
from deepret.benchmarks.cars196 import Cars196
from deepret.benchmarks.cub200 import CUB200
from deepret.benchmarks.gldv2_recognition import GLDv2Recognition
from deepret.benchmarks.gldv2_retrieval import GLDv2Retrieval
from deepret.benchmarks.holidays import Holidays
from deepret.benchmarks.instre import INSTRE
from deepret.benchmarks.oxford5k import Oxford5k
from deepret.benchmarks.paris6k import Paris6k
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.published import published
from deepret.benchmarks.roxford5k import ROxford5k
from deepret.benchmarks.rparis6k import RParis6k
from deepret.benchmarks.sop import StanfordOnlineProducts
from deepret.benchmarks.sources import source
from deepret.benchmarks.standing import Standing
from deepret.benchmarks.truth import plain
from deepret.benchmarks.ukb import UKB
from deepret.data.photo import Photo
from deepret.programs.evaluate import tell

pytestmark = pytest.mark.slow


class Whole(NamedTuple):
    """A copy of the published size.

    Args:
        names: of all photographs, queries of their own among them.
        lost: of each kind a photograph that is to be left out, and what then counts as missing.
        size: how many are ranked.
        asked: how many queries there are.
    """

    names: list[str]
    lost: dict[str, tuple[str, dict[str, int]]]
    size: int
    asked: int


def pickled(root: Path, kind: type[Benchmark], size: int, asked: int, kinds: Sequence[str], own: bool) -> Whole:
    """Ground truth of the revisited form; queries that are photographs of the database where ``own`` is false."""
    names = [f"photo_{i:06d}" for i in range(size)]
    queries = [f"query_{i:03d}" for i in range(asked)] if own else names[:asked]
    gnd = []
    for i in range(asked):
        lists = {group: [asked + len(kinds) * i + place] for place, group in enumerate(kinds)}
        gnd.append({"bbx": [0.0, 0.0, 9.0, 9.0], **lists})
    (root / f"gnd_{kind.name}.pkl").write_bytes(pickle.dumps({"imlist": names, "qimlist": queries, "gnd": gnd}))
    lost = {
        "query": (queries[1], {"queries": 1}),
        "distractor": (names[-1], {"distractors": 1}),
        "positive": (names[asked], {"positives": 1}),
    }
    if "junk" in kinds:
        lost["junk"] = (names[asked + len(kinds) - 1], {"junk": 1})
    return Whole([*names, *(queries if own else ())], lost, size, asked)


def text(root: Path, prefix: str, size: int) -> Whole:
    """Ground truth in text files, which names but some of the photographs."""
    names = [f"photo_{i:06d}" for i in range(size)]
    (root / "groundtruth").mkdir()
    for i in range(55):
        good, ok, junk = (names[55 + 3 * i + j] for j in range(3))
        texts = {"query": f"{prefix}{names[i]} 0 0 9 9", "good": good, "ok": ok, "junk": junk}
        for kind, line in texts.items():
            (root / "groundtruth" / f"tower{i}_1_{kind}.txt").write_text(f"{line}\n")
    lost = {
        "query": (names[1], {"queries": 1}),
        "positive": (names[56], {"positives": 1}),
        "junk": (names[57], {"junk": 1}),
        "distractor": (names[-1], {"distractors": 1}),
    }
    return Whole(names, lost, size, 55)


def holidays(root: Path) -> Whole:
    sizes = [3] * 491 + [2] * 9  # 500 groups
    names = [f"{1000 + g}{i:02d}" for g, size in enumerate(sizes) for i in range(size)]
    (root / "holidays_images.dat").write_text("".join(f"{name}.jpg\n" for name in names))
    lost = {"query": ("100000", {"queries": 1}), "positive": ("100001", {"positives": 1})}
    return Whole(names, lost, 1491, 500)


def ukb(root: Path) -> Whole:
    names = [f"ukbench{i:05d}" for i in range(10_200)]
    return Whole(names, {"query": (names[5], {"queries": 1, "positives": 1})}, 10_200, 10_200)


def classes(
    write: Callable[[Path, Sequence[tuple[str, int]]], None], first: int, size: int, each: int
) -> Callable[[Path], Whole]:
    def make(root: Path) -> Whole:
        rows = [(f"things/{i:06d}.jpg", first + i // each) for i in range(size)]
        write(root, rows)
        names = [plain(path) for path, _ in rows]
        return Whole(names, {"query": (names[5], {"queries": 1, "positives": 1})}, size, size)

    return make


def retrieval(root: Path) -> Whole:
    names = [f"{i:016x}" for i in range(761_757)]
    queries = [f"q{i:015x}" for i in range(1129)]
    (root / "index.csv").write_text("\n".join(["id", *names]) + "\n")
    rows = [f"{query},{names[i]},{'Private' if i % 3 else 'Public'}" for i, query in enumerate(queries)]
    (root / "retrieval_solution_v2.1.csv").write_text("\n".join(["id,images,Usage", *rows, "x,None,Ignored"]) + "\n")
    lost = {
        "query": (queries[5], {"queries": 1}),
        "positive": (names[5], {"positives": 1}),
        "distractor": (names[-1], {"distractors": 1}),
    }
    return Whole([*names, *queries], lost, 761_757, 1129)


COPIES: dict[str, tuple[type[Benchmark], Callable[[Path], Whole]]] = {
    "oxford5k": (Oxford5k, lambda root: text(root, "oxc1_", 5063)),
    "oxford5k in a pickle": (Oxford5k, lambda root: pickled(root, Oxford5k, 5063, 55, ("ok", "junk"), False)),
    "paris6k": (Paris6k, lambda root: text(root, "", 6392)),
    "roxford5k": (ROxford5k, lambda root: pickled(root, ROxford5k, 4993, 70, ("easy", "hard", "junk"), True)),
    "rparis6k": (RParis6k, lambda root: pickled(root, RParis6k, 6322, 70, ("easy", "hard", "junk"), True)),
    "instre": (INSTRE, lambda root: pickled(root, INSTRE, 27_293, 1250, ("ok",), True)),
    "holidays": (Holidays, holidays),
    "ukb": (UKB, ukb),
    "sop": (StanfordOnlineProducts, classes(sop, 11_319, 60_502, 6)),
    "cub200": (CUB200, classes(cub, 101, 5924, 60)),
    "cars196": (Cars196, classes(cars, 99, 8131, 83)),
    "gldv2_retrieval": (GLDv2Retrieval, retrieval),
}
LARGE = ("instre", "ukb", "sop", "cub200", "cars196", "gldv2_retrieval")
"""Those that would be compared for long: nothing is, only their names are looked at."""
SLOW = ("sop", "gldv2_retrieval")


def undescribed(photos: Sequence[Photo]) -> torch.Tensor:
    raise AssertionError("files are scored")


def uncompared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every search find everything first."""

    def stand(queries: Any, tables: Any, matter: Any, ignored: int, **how: Any) -> Standing:
        ranks = torch.cat([torch.arange(len(m)) for m in matter])
        return Standing.of(sum(map(len, tables)), matter, ranks, torch.zeros(len(queries), 1, dtype=torch.int64))

    monkeypatch.setattr(source, "stand", stand)


def scored(
    kind: type[Benchmark],
    root: Path,
    names: Sequence[str],
    capsys: pytest.CaptureFixture[str],
    more: int = 0,
    cut: bool = True,
) -> tuple[dict[str, Any], str]:
    """The JSON and all that is printed."""
    codes = np.random.default_rng(0).normal(size=(len(names) + more, 2)).astype(np.float32)
    np.save(root / "codes.npy", codes[: len(names)])
    (root / "codes.txt").write_text("\n".join(names))
    words = {"descriptors": str(root / "codes.npy")}
    if cut and issubclass(kind, Buildings):  # whose queries are cut from photographs of the database
        asked = [question.name for question in kind(str(root)).truth().questions if question.image in names]
        np.save(root / "queries.npy", codes[: len(asked)])
        (root / "queries.txt").write_text("\n".join(asked))
        words["queries"] = str(root / "queries.npy")
    if more:
        np.save(root / "more.npy", codes[len(names) :])
        words["distractors"] = str(root / "more.npy")
    result = kind(str(root), **words).evaluate(undescribed)
    capsys.readouterr()
    values = tell("mine", result, {}, 0.0)
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["benchmark"] == values["benchmark"] == result.benchmark
    return values, out


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in COPIES])
def test_a_whole_copy_has_the_plain_name_and_one_less_is_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    kind, make = COPIES[name]
    if name in LARGE:
        uncompared(monkeypatch)
    copy = make(tmp_path)
    values, out = scored(kind, tmp_path, copy.names, capsys)
    assert values["benchmark"] == kind.name
    assert (values["counts"]["queries"], values["counts"]["database"]) == (copy.asked, copy.size)
    assert all(count == 0 for key, count in values["counts"].items() if key.startswith("missing"))
    assert ("\npublished\n" in out) == (kind.name in published())
    each = [(gone, missing) for gone, missing in copy.lost.values()]
    together = [({gone for gone, _ in each}, {key: n for _, missing in each for key, n in missing.items()})]
    for lost, missing in together if name in LARGE else [({gone}, missing) for gone, missing in each]:
        values, out = scored(kind, tmp_path, [n for n in copy.names if n not in lost], capsys)
        unasked = sum(n.startswith("q") for n in lost)
        ranked = copy.size - len(lost) + unasked
        left = f", {copy.asked - unasked:,} of {copy.asked:,} queries" if unasked else ""
        title = f"{kind.name} (partial: {ranked:,} of {copy.size:,}{left})"
        assert values["benchmark"] == title, lost
        assert out.count(title) == 3, out  # in the table, below it and in the JSON
        counted = {key.removeprefix("missing_"): n for key, n in values["counts"].items() if key.startswith("missing")}
        assert counted == {"queries": 0, "positives": 0, "junk": 0, "distractors": 0, **missing}, lost
        assert "\npublished\n" not in out


@pytest.mark.parametrize(
    ("name", "title", "more"),
    [
        ("oxford5k", "oxford105k", 100_071),
        ("paris6k", "paris106k", 100_071),
        ("roxford5k", "roxford5k+1m", 1_001_001),
        ("rparis6k", "rparis6k+1m", 1_001_001),
    ],
)
def test_with_all_distractors_the_name_is_another_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    title: str,
    more: int,
) -> None:
    kind, make = COPIES[name]
    uncompared(monkeypatch)
    copy = make(tmp_path)
    values, out = scored(kind, tmp_path, copy.names, capsys, more)
    assert values["benchmark"] == title
    assert ("\npublished\n" in out) == (title in published())
    values, out = scored(kind, tmp_path, copy.names, capsys, more - 1)
    assert values["benchmark"] == f"{title} (partial: {copy.size + more - 1:,} of {copy.size + more:,})"
    assert values["counts"]["missing_distractors"] == 1
    assert "\npublished\n" not in out
    lost = copy.lost["distractor"][0]
    values, out = scored(kind, tmp_path, [n for n in copy.names if n != lost], capsys, more + 1)
    assert values["benchmark"] == f"{title} (partial: {copy.size + more - 1:,} of {copy.size + more:,})"
    assert values["counts"]["missing_distractors"] == 1  # one more of the others makes up for nothing
    assert "\npublished\n" not in out


def test_ground_truth_that_asks_less_than_published_is_partial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = text(tmp_path, "oxc1_", 5063)
    for path in (tmp_path / "groundtruth").glob("tower3_1_*.txt"):
        path.unlink()
    values, out = scored(Oxford5k, tmp_path, copy.names, capsys)
    assert values["benchmark"] == "oxford5k (partial: 5,063 of 5,063, 54 of 55 queries)"
    assert values["counts"]["missing_queries"] == 1
    assert "\npublished\n" not in out


def test_queries_with_no_code_of_their_box_are_said_to_be_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, make in (("text", "oxford5k"), ("pickled", "oxford5k in a pickle"), ("own", "roxford5k")):
        root = tmp_path / folder
        root.mkdir()
        kind, write = COPIES[make]
        names = write(root).names
        values, out = scored(kind, root, names, capsys, cut=False)
        whole = kind is Oxford5k
        assert values["benchmark"] == ("oxford5k (whole queries)" if whole else kind.name)
        assert ("\npublished\n" in out) != whole
    values, out = scored(Oxford5k, tmp_path / "text", [f"photo_{i:06d}" for i in range(1, 5063)], capsys, cut=False)
    assert values["benchmark"] == "oxford5k (partial: 5,062 of 5,063; whole queries)"
    assert "\npublished\n" not in out


@pytest.mark.parametrize("kind", [ROxford5k, RParis6k])
def test_ground_truth_without_answers_is_partial(
    tmp_path: Path, ground_truth: Path, capsys: pytest.CaptureFixture[str], kind: type[Benchmark]
) -> None:
    """Of the official one: queries that have no answer any more, in all settings or in one, are none."""
    official: dict[str, Any] = pickle.loads((ground_truth / f"gnd_{kind.name}.pkl").read_bytes())
    names = [*official["imlist"], *official["qimlist"]]
    for emptied, kinds, asked in (((), (), 70), (range(10, 70), ("easy", "hard", "junk"), 10), ([3], ("hard",), 69)):
        for i in emptied:
            official["gnd"][i] |= {group: [] for group in kinds}
        (tmp_path / f"gnd_{kind.name}.pkl").write_bytes(pickle.dumps(official))
        official = pickle.loads((ground_truth / f"gnd_{kind.name}.pkl").read_bytes())
        values, out = scored(kind, tmp_path, names, capsys)
        size = f"{kind.count:,}"
        partial = f"{kind.name} (partial: {size} of {size}, {asked} of 70 queries)"
        assert values["benchmark"] == (kind.name if asked == 70 else partial)
        assert ("\npublished\n" in out) == (asked == 70)


def test_a_solution_that_ignores_its_queries_is_partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GLDv2Recognition, "asked", 9)
    monkeypatch.setattr(GLDv2Recognition, "showing", 3)
    (tmp_path / "mine.csv").write_text("id,landmarks\nq0,7 0.5\n")
    for rows, title in (
        (["7,Private"] * 3 + [",Public"] * 2 + [",Ignored"] * 4, ""),
        (["7,Private"] * 2 + [",Ignored"] * 7, " (partial: 1,580,470 of 1,580,470, 2 of 9 queries)"),
        (["7,Private"] * 2 + [",Public"] * 7, " (partial: 1,580,470 of 1,580,470, 8 of 9 queries)"),
        (["7,Private"] * 3 + [",Public"] * 2, " (partial: 1,580,470 of 1,580,470, 5 of 9 queries)"),
    ):
        lines = ["id,landmarks,Usage", *(f"q{i},{row}" for i, row in enumerate(rows))]
        (tmp_path / "recognition_solution_v2.1.csv").write_text("\n".join(lines))
        made = GLDv2Recognition(str(tmp_path), ranking=str(tmp_path / "mine.csv"))
        assert made.evaluate(undescribed).benchmark == f"gldv2_recognition{title}"


def test_a_whole_submission_has_the_plain_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queries = [f"q{i:015x}" for i in range(117_577)]
    for name, said in (("recognition_solution_v2.1.csv", ",Private"), ("mine.csv", " 0.5")):
        header = "id,landmarks,Usage" if "solution" in name else "id,landmarks"
        (tmp_path / name).write_text("\n".join([header, *(f"{q},7{said}" for q in queries)]) + "\n")
    tell("mine", GLDv2Recognition(str(tmp_path), ranking=str(tmp_path / "mine.csv")).evaluate(undescribed), {}, 0.0)
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["benchmark"] == "gldv2_recognition"
    assert json.loads(out.splitlines()[-1])["mAP"] == 1
    assert "\npublished\n" in out
