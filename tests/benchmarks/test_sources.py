"""Codes and rankings in files, and what may be wrong with them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from benchmarks.walks import average_precision
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from deepret.benchmarks.holidays import Holidays
from deepret.benchmarks.sources.descriptors import BLOCK, Descriptors, read_codes, read_descriptors
from deepret.benchmarks.sources.rankings import read_rankings
from deepret.benchmarks.truth import Question, Truth
from deepret.benchmarks.ukb import UKB
from deepret.data.photo import Photo
from deepret.errors import UserError

NAMES = ["100000", "100001", "100002", "100100", "100101"]


def undescribed(photos: Sequence[Photo]) -> torch.Tensor:
    raise AssertionError("files are scored")


@pytest.fixture
def holidays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Holidays, "count", len(NAMES))
    monkeypatch.setattr(Holidays, "asked", 2)
    (tmp_path / "holidays_images.dat").write_text("".join(f"{name}.jpg\n" for name in NAMES))
    return tmp_path


def ranked(folder: Path, *lines: str) -> str:
    path = folder / "ranking.txt"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def codes_of(folder: Path, codes: Sequence[Sequence[float]], names: Sequence[str] = NAMES, ending: str = "npy") -> str:
    path = folder / f"codes.{ending}"
    if ending == "npy":
        np.save(path, np.array(codes, dtype=np.float32))
        path.with_suffix(".txt").write_text("\n".join(names))
    else:
        save_file({"codes": torch.tensor(codes)}, path, {"names": json.dumps(names)})
    return str(path)


def test_a_ranking_in_the_official_format(holidays: Path) -> None:
    """Places need not be in order, names may have their ending, and what is cut off is not found."""
    lines = ("100000.jpg 0 100000.jpg 2 100002.jpg 1 100100.jpg", "100100.jpg  0 100101.jpg 1 100100.jpg")
    found = Holidays(str(holidays), ranking=ranked(holidays, *lines)).evaluate(undescribed)
    assert found.benchmark == "holidays"
    assert found.ap.tolist() == pytest.approx([(0 + 1 / 2) / 2 / 2, 1.0])
    assert found.ranking.tolist() == [[3, 2, -1], [4, -1, -1]]


def test_the_official_example_scores_what_its_program_says(tmp_path: Path, ground_truth: Path) -> None:
    (tmp_path / "holidays_images.dat").write_bytes((ground_truth / "holidays_images.dat").read_bytes())
    found = Holidays(str(tmp_path), ranking=str(ground_truth / "holidays_example_result.txt")).evaluate(undescribed)
    assert found.benchmark == "holidays"
    assert found.counts["queries"] == 500
    assert found.metrics["mAP"] == pytest.approx(0.68923, abs=5e-6)


def official(ranked: Sequence[tuple[int, str]], query: str) -> float:
    """Average precision as Holidays' own program has it: from the places that the file states."""
    right = [name for name in NAMES if name[:4] == query[:4] and name != query]
    before, found, total = 0, 0, 0.0
    for place, name in sorted(ranked):
        if name == query:
            before = 1
        elif name in right:
            place -= before
            total += ((1 if place == 0 else found / place) + (found + 1) / (place + 1)) / 2
            found += 1
    return total / len(right)


@given(
    st.permutations(NAMES),
    st.integers(0, 5),
    st.lists(st.integers(0, 5_000), min_size=5, max_size=5, unique=True),
)
def test_the_places_that_a_file_states_count(order: list[str], length: int, places: list[int]) -> None:
    """With gaps, in any order, before or behind the query's own place, and beyond the database."""
    pairs = list(zip(places, order, strict=True))[:length]
    words = " ".join(f"{place} {name}.jpg" for place, name in pairs)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Holidays, "count", len(NAMES))
        patch.setattr(Holidays, "asked", 2)
        (Path(folder) / "holidays_images.dat").write_text("".join(f"{name}.jpg\n" for name in NAMES))
        path = ranked(Path(folder), f"100000.jpg {words}", f"100100.jpg {words}")
        found = Holidays(folder, ranking=path).evaluate(undescribed)
    assert found.ap.tolist() == pytest.approx([official(pairs, "100000"), official(pairs, "100100")], abs=1e-12)
    beyond = max([place + 1 for place, _ in pairs], default=0) - len(NAMES)
    assert found.benchmark == (f"holidays (and {beyond:,} more)" if beyond > 0 else "holidays")


def test_the_official_example_with_wrong_answers_left_out_scores_the_same(tmp_path: Path, ground_truth: Path) -> None:
    """Its places stay; those of another line are then no longer consecutive."""
    (tmp_path / "holidays_images.dat").write_bytes((ground_truth / "holidays_images.dat").read_bytes())
    lines = []
    for line in (ground_truth / "holidays_example_result.txt").read_text().splitlines():
        query, *words = line.split()
        pairs = [(place, name) for place, name in zip(words[::2], words[1::2], strict=True) if name[:4] == query[:4]]
        lines.append(" ".join([query, *(word for pair in pairs[::-1] for word in pair)]))
    found = Holidays(str(tmp_path), ranking=ranked(tmp_path, *lines)).evaluate(undescribed)
    assert found.metrics["mAP"] == pytest.approx(0.68923, abs=5e-6)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("a 0.9 b.jpg 0.5 c -1e-3", "a b c"),
        ("a 3 b 2", "a b"),
        ("a inf b -inf c nan", "a b c"),
        ("c a", "c a"),
        ("", ""),
        ("00000596117e0795 a 1234567890123e45 b", "00000596117e0795 a 1234567890123e45 b"),
        ("a 00000596117e0795 b 1234567890123e45", "a 00000596117e0795 b 1234567890123e45"),
        ("a 1.5 b 0.5", "a 1.5 b 0.5"),  # a photograph is called 1.5
        ("a 0.9 b", None),
        ("a 12345e45", None),
        ("a 9999999999999e45", None),  # as long as a name, and none that is known
        ("0 a 1 b", None),
    ],
)
def test_what_is_a_score_and_what_a_name(tmp_path: Path, words: str, names: str | None) -> None:
    known = ["a", "b", "c", "00000596117e0795", "1234567890123e45", *(["1.5"] if words.endswith("b 0.5") else [])]
    if words.endswith("b 0.5"):
        known.append("0.5")
    truth = Truth(known, [Question("q", "q", {"right": known})])
    read = read_rankings(Path(ranked(tmp_path, "", f"q.png {words}")))
    if names is None:
        with pytest.raises(UserError, match=r"line 2: q ranks .*, which is neither in the database"):
            read.among(truth, 0, ())
        return
    kept = read.among(truth, 0, ()).kept["q"]
    assert [known[row] for row in kept.first] == names.split()
    assert {known[row]: rank for row, rank in zip(kept.rows, kept.ranks, strict=True) if rank >= 0} == {
        name: rank for rank, name in enumerate(names.split())
    }


def test_of_long_rankings_little_is_kept(tmp_path: Path) -> None:
    """The memory of 70 rankings of a million would be 10 GB as strings: what stays is as long as the lists."""
    names = [f"photograph_{i:06d}" for i in range(50_000)]
    truth = Truth(names, [Question(f"q{i}", f"q{i}", {"right": names[i : i + 2]}) for i in range(16)])
    path = Path(ranked(tmp_path, *(f"q{i} {' '.join(names[i:] + names[:i])}" for i in range(16))))
    tracemalloc.start()
    try:
        found = read_rankings(path).among(truth, 0, ())
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [one.ranks.tolist() for one in found.kept.values()] == [[0, 1]] * 16
    assert {len(one.first) for one in found.kept.values()} == {102}
    assert kept < 40 * len(names)  # the list of all names, not 16 × 50,000 of them
    assert peak < 400 * len(names)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("100000 0 100001 1 100001",), r"ranking.txt, line 1: 100001 is ranked twice"),
        (("100000 0 100001", "100000 0 100002"), r"line 2: 100000 has a ranking above already"),
        (("100000 0 100001 1",), r"line 1: wanted pairs of place and name"),
        (
            ("100000 0 109999",),
            r"ranking.txt, line 1: 100000 ranks 109999, .* nor named by benchmark.distractors",
        ),
        (("100000 0 100001", "999900 0 100001"), r"line 2: 999900 is no query of the ground truth, such as 100000"),
        (("100000 1 100001 01 100002",), r"line 1: place 1 stands there twice"),
        (("100000 --5 100001",), r"line 1: wanted pairs of place and name"),
        (("100000 -5 100001",), r"line 1: wanted pairs of place and name"),
        (("100000 ² 100001",), r"line 1: wanted pairs of place and name"),
        ((f"100000 {'9' * 5000} 100001",), r"line 1: wanted pairs of place and name"),
        (("",), r"there is no ranking in it"),
    ],
)
def test_rankings_that_cannot_be_right_are_told(holidays: Path, lines: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Holidays(str(holidays), ranking=ranked(holidays, *lines)).evaluate(undescribed)


@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_codes_in_files(holidays: Path, ending: str) -> None:
    random = np.random.default_rng(1).normal(size=(5, 3))
    path = codes_of(holidays, random.tolist(), [f"{name}.jpg" for name in NAMES], ending)
    found = Holidays(str(holidays), descriptors=path).evaluate(undescribed)
    scores = random.astype(np.float32) @ random.astype(np.float32).T
    for place, query in enumerate((0, 3)):
        order = [NAMES[i] for i in np.argsort(-scores[query], kind="stable")]
        group = [n for n in NAMES if n[:4] == NAMES[query][:4] and n != NAMES[query]]
        assert float(found.ap[place]) == pytest.approx(average_precision(order, group, [NAMES[query]]), abs=1e-12)


def test_equal_scores_rank_in_the_official_order(holidays: Path) -> None:
    """Whatever order the file has: all five are alike, so each query's answers come as the list names them."""
    for names in (NAMES, NAMES[::-1]):
        found = Holidays(str(holidays), descriptors=codes_of(holidays, [[1.0]] * 5, names)).evaluate(undescribed)
        assert found.ranking.tolist() == [[1, 2, 3, 4, -1], [0, 1, 2, 4, -1]]
        assert found.ap.tolist() == pytest.approx([1, (0 + 1 / 4) / 2])


def test_the_official_order_decides_what_a_tie_is_worth(holidays: Path) -> None:
    """100101 ties with two wrong answers: it stands behind both in one list, and before both in the other."""
    scored = []
    for names in (NAMES, [NAMES[i] for i in (3, 4, 0, 1, 2)]):
        (holidays / "holidays_images.dat").write_text("".join(f"{name}.jpg\n" for name in names))
        table = [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 2.0], [0.0, 1.0]]
        codes = codes_of(holidays, table)
        found = Holidays(str(holidays), descriptors=codes).evaluate(undescribed)
        order = dict(zip([q for q in names if q.endswith("00")], found.ap.tolist(), strict=True))
        scored.append(order["100100"])
        wanted = [n for n in names if n in ("100001", "100002", "100101")] + ["100000"]
        assert scored[-1] == pytest.approx(average_precision(wanted, {"100101"}, ()))
    assert scored == pytest.approx([(0 + 1 / 3) / 2, 1.0])


@pytest.mark.parametrize(
    ("codes", "names", "told"),
    [
        ([[1.0, 2]] * 4, NAMES, r"4 codes, and 5 names in .*codes.txt"),
        ([[1.0, 2]] * 5, [*NAMES[:4], "100000.jpg"], r"codes.txt: 100000 stands there twice, as codes 0 and 4"),
        ([*[[1.0, 2]] * 4, [0.0, 0]], NAMES, r"code 4 is zero"),
        ([*[[1.0, 2]] * 4, [np.nan, 0]], NAMES, r"code 4 is not finite"),
        ([*[[1.0, 2]] * 4, [3e20, 4e20]], NAMES, r"code 4 is 5e\+20 long, so that its inner products are no numbers"),
        ([*[[1.0, 2]] * 4, [3e-30, 4e-30]], NAMES, r"code 4 is 5e-30 long"),
        ([1.0, 2.0], NAMES, r"float32 of shape \(2,\); wanted"),
    ],
)
def test_codes_that_cannot_be_right_are_told(holidays: Path, codes: list, names: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Holidays(str(holidays), descriptors=codes_of(holidays, codes, names)).evaluate(undescribed)


@pytest.mark.parametrize(
    ("codes", "names", "told"),
    [
        (torch.ones(2, 3), '"ab"', "not a list of names"),
        (torch.ones(2, 3), '["a", ["b"]]', "not a list of names"),
        (torch.ones(2, 3), "[" * 100_000, "cannot be read .*wanted: a tensor codes"),
        (torch.ones(2, 3), "5", "not a list of names"),
        (torch.ones(2, 3, dtype=torch.complex64), '["a", "b"]', "codes of complex64; wanted: float32"),
        (torch.ones(2, 3, dtype=torch.int64), '["a", "b"]', "codes of int64; wanted: float32"),
    ],
)
def test_tensors_that_cannot_be_right_are_told(tmp_path: Path, codes: torch.Tensor, names: str, told: str) -> None:
    save_file({"codes": codes}, tmp_path / "codes.safetensors", {"names": names})
    with pytest.raises(UserError, match=f"codes.safetensors: .*{told}"):
        read_descriptors(tmp_path / "codes.safetensors")


@pytest.mark.parametrize("kind", ["float16", "float64", ">f4"])
def test_tables_of_other_fractions_are_made_float32_by_the_block(tmp_path: Path, kind: str) -> None:
    table = np.random.default_rng(0).normal(size=(3 * BLOCK + 5, 8)).astype(kind)
    np.save(tmp_path / "codes.npy", table)
    tracemalloc.start()
    try:
        codes = read_codes(tmp_path / "codes.npy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert codes.dtype == torch.float32
    assert np.array_equal(codes.numpy(), table.astype(np.float32))
    assert peak < codes.numel() * 4 + 1_000_000
    if kind == "float64":
        np.save(tmp_path / "codes.npy", np.array([[1.0, 2], [1e300, 0]]))
        with pytest.raises(UserError, match="code 1 is not finite"):
            read_codes(tmp_path / "codes.npy")


def test_files_that_do_not_fit_are_told(holidays: Path) -> None:
    path = Path(codes_of(holidays, np.eye(5).tolist()))
    (holidays / "q").mkdir()
    other = Path(codes_of(holidays / "q", [[1.0, 2]], ["100000"]))
    with pytest.raises(UserError, match=r"its codes have 2 dimensions, and those of .* 5"):
        Descriptors(path, other)
    for broken, told in (
        (holidays / "none.npy", "No such file"),
        (holidays / "x.safetensors", "wanted: a tensor codes"),
    ):
        with pytest.raises(UserError, match=told):
            Descriptors(broken)
    path.with_suffix(".txt").unlink()
    with pytest.raises(UserError, match="it names the photographs, a line a code"):
        Descriptors(path)
    with pytest.raises(UserError, match="two sources of rankings"):
        Holidays(str(holidays), ranking="a", descriptors="b").evaluate(undescribed)


def test_a_name_that_is_none_of_holidays_is_told(holidays: Path) -> None:
    (holidays / "holidays_images.dat").write_text("100000.jpg\nholiday.jpg\n")
    with pytest.raises(UserError, match="holiday is no name of Holidays'"):
        Holidays(str(holidays)).evaluate(undescribed)
    (holidays / "holidays_images.dat").unlink()
    with pytest.raises(UserError, match=r"neither holidays_images.dat nor jpg in it. Unpack jpg1.tar.gz"):
        Holidays(str(holidays)).evaluate(undescribed)


def test_n_s_counts_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UKB, "count", 8)
    names = [f"ukbench{i:05d}" for i in range(8)]
    codes = np.eye(2)[[0, 0, 0, 1, 1, 1, 1, 1]] + np.arange(8)[:, None] * 1e-3
    found = UKB(str(tmp_path), descriptors=codes_of(tmp_path, codes.tolist(), names)).evaluate(undescribed)
    scores = codes @ codes.T
    wanted = [sum(i // 4 == q // 4 for i in np.argsort(-scores[q], kind="stable")[:4]) for q in range(8)]
    assert found.metrics["ns"] == pytest.approx(np.mean(wanted))
    assert found.metrics["recall@4"] == pytest.approx(np.mean(wanted) / 4)
    assert found.summary()["ns"] == pytest.approx(np.mean(wanted), abs=1e-5)
    part = UKB(str(tmp_path), descriptors=codes_of(tmp_path, codes[:6].tolist(), names[:6])).evaluate(undescribed)
    assert part.benchmark == "ukb (partial: 6 of 8)"
