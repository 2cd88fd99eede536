"""What may be wrong with a benchmark's files, each through ``eval.py``: one message with its place and mend, code 2."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from deepret.config import groups

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["100000", "100001", "100100", "100101"]
CODES = np.eye(4, 3, dtype=np.float32) + 0.5
GND: dict[str, Any] = {"imlist": ["a", "b", "c"], "qimlist": ["q"]}
ENTRY: dict[str, Any] = {"bbx": [0.0, 0.0, 9.0, 9.0], "easy": [0], "hard": [1], "junk": []}


class Runs:
    """Unpickled, it would call something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def written(path: Path, data: bytes | str | None) -> Path:
    """A file, or a folder in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def holidays(root: Path, *words: str) -> list[str]:
    if not (root / "holidays_images.dat").exists():
        written(root / "holidays_images.dat", "".join(f"{name}.jpg\n" for name in NAMES))
    return ["benchmark=holidays", f"benchmark.root={root}", *words]


def ranking(data: bytes | str | None) -> Callable[[Path], list[str]]:
    return lambda root: holidays(root, f"benchmark.ranking={written(root / 'ranking.txt', data)}")


def codes(
    table: Any = CODES, names: list[str] | bytes | None = NAMES, queries: Any = None, more: Any = None
) -> Callable[[Path], list[str]]:
    def make(root: Path) -> list[str]:
        words = holidays(root, f"benchmark.descriptors={root / 'codes.npy'}")
        for file, held in (("codes", table), ("queries", queries), ("more", more)):
            if isinstance(held, bytes) or (held is None and file == "codes"):
                written(root / f"{file}.npy", held)
            elif held is not None:
                np.save(root / f"{file}.npy", held)
        written(root / "codes.txt", "\n".join(names) if isinstance(names, list) else names)
        if queries is not None:
            written(root / "queries.txt", "100000\n100100\n")
            words.append(f"benchmark.queries={root / 'queries.npy'}")
        return [*words, f"benchmark.distractors={root / 'more.npy'}"] if more is not None else words

    return make


def safetensors(held: dict[str, np.ndarray], metadata: dict[str, str]) -> Callable[[Path], list[str]]:
    def make(root: Path) -> list[str]:
        save_file(held, root / "codes.safetensors", metadata)
        return holidays(root, f"benchmark.descriptors={root / 'codes.safetensors'}")

    return make


def revisited(content: Any, *, whole: bool = True) -> Callable[[Path], list[str]]:
    """A pickle of ``gnd``'s entries, or of something else, or bytes that are none."""

    def make(root: Path) -> list[str]:
        held = {**GND, "gnd": content} if whole else content
        written(root / "gnd_roxford5k.pkl", held if isinstance(held, bytes) else pickle.dumps(held))
        written(root / "ranking.txt", "q a b\n")
        return ["benchmark=roxford5k", f"benchmark.root={root}", f"benchmark.ranking={root / 'ranking.txt'}"]

    return make


def runs(root: Path, function: Callable[..., Any], *arguments: Any) -> list[str]:
    """A pickle that would call a function, within what the ground truth holds."""
    return revisited([{**ENTRY, "easy": Runs(function, *arguments)}])(root)


def oxford(box: str = "0 0 9 9", good: bytes | str | None = "a\n", twice: bool = False) -> Callable[[Path], list[str]]:
    def make(root: Path) -> list[str]:
        for kind, text in {"query": f"oxc1_a {box}\n", "good": good, "ok": "", "junk": ""}.items():
            written(root / "groundtruth" / f"tower_1_{kind}.txt", text)
        for name in ("a.png", *(["more/a.png"] if twice else [])):
            path = root / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((64, 48), 60).convert("RGB").save(path)
        words = ["debug=fast", "projection=none", "accelerator=cpu"]
        return ["benchmark=oxford5k", f"benchmark.root={root}", *words]

    return make


def listed(data: bytes | str | None) -> Callable[[Path], list[str]]:
    def make(root: Path) -> list[str]:
        written(root / "holidays_images.dat", data)
        return ranking("100000 0 100001\n")(root)

    return make


def csv(name: str, file: str, text: bytes | str | None) -> Callable[[Path], list[str]]:
    """A submission to Google Landmarks v2, beside its solution, one of the two as given."""

    def make(root: Path) -> list[str]:
        column, said = ("images", "a b") if name == "gldv2_retrieval" else ("landmarks", "7 0.5")
        right = "a" if name == "gldv2_retrieval" else "7"
        files: dict[str, bytes | str | None] = {
            f"{name.removeprefix('gldv2_')}_solution_v2.1.csv": f"id,{column},Usage\nq,{right},Private\n",
            "index.csv": "id\na\nb\n",
            "mine.csv": f"id,{column}\nq,{said}\n",
        }
        for key, data in {**files, file: text}.items():
            written(root / key, data)
        return [f"benchmark={name}", f"benchmark.root={root}", f"benchmark.ranking={root / 'mine.csv'}"]

    return make


NAN, ZERO = CODES.copy(), CODES.copy()
NAN[2, 1], ZERO[3] = np.nan, 0
WIDE = np.ones((2, 5), dtype=np.float32)
NPZ = b"PK\x05\x06" + bytes(18)
UTF16 = "100000 0 100001\n".encode("utf-16")

CASES: dict[str, tuple[Callable[[Path], list[str]], list[str]]] = {
    # rankings
    "ranking: none there": (lambda t: holidays(t, "benchmark.ranking=nowhere"), ["nowhere", "No such file"]),
    "ranking: empty": (ranking(""), ["ranking.txt", "no ranking in it"]),
    "ranking: binary": (ranking(b"\x00\xff\xfe\x80"), ["ranking.txt", "cannot be read"]),
    "ranking: UTF-16": (ranking(UTF16), ["ranking.txt", "cannot be read"]),
    "ranking: a folder": (ranking(None), ["ranking.txt", "Is a directory"]),
    "ranking: a name twice": (ranking("100000 0 100001 1 100001.jpg\n"), ["line 1", "100001 is ranked twice"]),
    "ranking: a query twice": (ranking("100000 0 100001\n\n100000 0 100100\n"), ["line 3", "100000 has a ranking"]),
    "ranking: a place twice": (ranking("100000 0 100001 0 100100\n"), ["line 1", "place 0 stands there twice"]),
    "ranking: unknown images": (ranking("100000 0 999999\n"), ["999999", "benchmark.distractors"]),
    "ranking: unknown queries": (ranking("paris 0 100001\n"), ["ranking.txt, line 1", "paris is no query", "100000"]),
    "ranking: no list of distractors": (
        lambda t: [*ranking("100000 0 100001\n")(t), f"benchmark.distractors={t / 'none'}"],
        ["benchmark.distractors", "No such file"],
    ),
    "ranking: codes as distractors": (
        lambda t: [*ranking("100000 0 100001\n")(t), f"benchmark.distractors={written(t / 'm.npy', NPZ + UTF16)}"],
        ["benchmark.distractors", "neither a folder of photographs nor a list"],
    ),
    "two sources": (lambda t: [*ranking("")(t), "benchmark.descriptors=x.npy"], ["two sources"]),
    "queries alone": (lambda t: holidays(t, "benchmark.queries=x.npy"), ["benchmark.queries", "benchmark.descriptors"]),
    # descriptors
    "codes: none there": (lambda t: holidays(t, "benchmark.descriptors=x.npy"), ["x.npy", "No such file"]),
    "codes: empty": (codes(b""), ["codes.npy", "cannot be read"]),
    "codes: binary": (codes(b"\x93NUMPY\x01\x00\xff\xff{"), ["codes.npy", "cannot be read"]),
    "codes: a folder": (codes(None), ["codes.npy", "Is a directory"]),
    "codes: several tables": (codes(NPZ), ["codes.npy", "several tables"]),
    "codes: objects": (codes(np.array([Runs(os.system, "touch ran")])), ["codes.npy", "cannot be read"]),
    "codes: whole numbers": (codes(np.ones((4, 3), dtype=np.int64)), ["codes.npy", "int64", "float32"]),
    "codes: a vector": (codes(np.ones(4, dtype=np.float32)), ["codes.npy", "(4,)", "(n, D)"]),
    "codes: no number": (codes(NAN), ["codes.npy", "code 2 is not finite"]),
    "codes: zero": (codes(ZERO), ["codes.npy", "code 3 is zero"]),
    "codes: names too few": (codes(names=NAMES[:3]), ["4 codes, and 3 names", "codes.txt"]),
    "codes: a name twice": (codes(names=[*NAMES[:3], "100000.jpg"]), ["codes.txt", "100000 stands there twice"]),
    "codes: names binary": (codes(names=b"\xff\xfe\x00"), ["codes.txt", "cannot be read"]),
    "codes: names a folder": (codes(names=None), ["codes.txt", "Is a directory"]),
    "codes: unknown names": (codes(names=["a", "b", "c", "d"]), ["none of the 2 queries", "codes.npy", "100000"]),
    "codes: queries of another length": (
        codes(queries=WIDE),
        ["queries.npy", "5 dimensions", "3"],
    ),
    "codes: queries without numbers": (codes(queries=NAN[1:3]), ["queries.npy", "code 1 is not finite"]),
    "codes: distractors of another length": (
        codes(more=WIDE),
        ["more.npy", "5 dimensions", "3"],
    ),
    "codes: no names in the metadata": (safetensors({"codes": CODES}, {}), ["codes.safetensors", "names"]),
    "codes: names that are no list": (safetensors({"codes": CODES}, {"names": "5"}), ["codes.safetensors", "a list"]),
    "codes: no codes": (safetensors({"x": CODES}, {"names": "[]"}), ["codes.safetensors", "codes"]),
    # ground truth
    "list: empty": (listed(""), ["benchmark=holidays", "has no query"]),
    "list: binary": (listed(b"\xff\xfe\x00"), ["holidays_images.dat", "cannot be read"]),
    "list: a name twice": (listed("100000.jpg\n100001.jpg\n100000.jpg\n"), ["100000 stands there twice"]),
    "list: no name of it": (listed("holiday.jpg\n"), ["holiday", "100001"]),
    "text: a box outside": (oxford("0 0 640 480"), ["tower_1_query.txt", "0 0 640 480", "64 × 48"]),
    "text: a box beside": (oxford("64.2 0 64.9 9"), ["tower_1_query.txt", "64.2 0 64.9 9", "outside"]),
    "text: a box backwards": (oxford("9 0 0 9"), ["tower_1_query.txt, line 1"]),
    "text: a box of no numbers": (oxford("nan 0 9 9"), ["tower_1_query.txt, line 1"]),
    "text: unknown images": (oxford(good="nobody\n"), ["none of the 1 queries"]),
    "text: binary": (oxford(good=b"\xff\xfe"), ["tower_1_good.txt", "cannot be read"]),
    "text: a folder": (oxford(good=None), ["tower_1_good.txt", "Is a directory"]),
    "photographs: a name twice": (oxford(twice=True), ["two photographs have one name", "more/a.png"]),
    "pickle: counted from 1": (
        revisited([{**ENTRY, "easy": [1], "hard": [3]}]),
        ["from 1 to 3", "Matlab", "subtract 1"],
    ),
    "pickle: unknown images": (revisited([{**ENTRY, "hard": [7]}]), ["position 7", "imlist", "3 names"]),
    "pickle: wrong counts": (revisited([ENTRY, ENTRY]), ["1 queries in qimlist", "2 entries in gnd"]),
    "pickle: a box of no numbers": (revisited([{**ENTRY, "bbx": [0, 0, float("inf"), 9]}]), ["query 0 (q)", "no box"]),
    "pickle: a kind is missing": (revisited([{"bbx": [0, 0, 9, 9], "ok": [0]}]), ["easy"]),
    "pickle: empty": (revisited(b"", whole=False), ["gnd_roxford5k.pkl", "no pickle"]),
    "pickle: binary": (revisited(b"\x00\xff" * 9, whole=False), ["gnd_roxford5k.pkl", "no pickle"]),
    "pickle: cut off": (revisited(pickle.dumps(GND)[:-9], whole=False), ["gnd_roxford5k.pkl", "no pickle"]),
    "pickle: a list": (revisited([1, 2], whole=False), ["imlist"]),
    "pickle: runs a command": (lambda t: runs(t, os.system, f"touch {t}/ran"), ["posix.system"]),
    "pickle: runs code": (lambda t: runs(t, exec, f"open('{t}/ran', 'w')"), ["builtins.exec"]),
    "pickle: asks for getattr": (lambda t: runs(t, getattr, Path, "cwd"), ["builtins.getattr"]),
    "pickle: runs a method": (lambda t: runs(t, Path.touch, t / "ran"), ["it asks for pathlib"]),
    "pickle: runs a process": (lambda t: runs(t, subprocess.check_call, ["touch", f"{t}/ran"]), ["subprocess"]),
    "pickle: reads another with numpy": (lambda t: runs(t, np.load, f"{t}/x.npy", None, True), ["it asks for numpy"]),
    "pickle: reads another with torch": (lambda t: runs(t, torch.load, f"{t}/x.pt"), ["it asks for torch"]),
    "pickle: a tensor": (revisited([{**ENTRY, "easy": torch.tensor([0])}]), ["it asks for torch"]),
    "pickle: within an array": (
        lambda t: revisited([{**ENTRY, "easy": np.array([Runs(os.system, f"touch {t}/ran")])}])(t),
        ["posix.system"],
    ),
    "pickle: a name within a name": (
        lambda t: revisited(b"\x80\x04\x8c\x05numpy\x8c\x07os.pathX\x93.", whole=False)(t),
        ["no pickle"],
    ),
    # Google Landmarks
    "submission: a query twice": (csv("gldv2_recognition", "mine.csv", "id,landmarks\nq,\nq,\n"), ["line 3", "q has"]),
    "submission: binary": (csv("gldv2_recognition", "mine.csv", b"\xff\xfe\x00"), ["mine.csv", "cannot be read"]),
    "submission: a folder": (csv("gldv2_retrieval", "mine.csv", None), ["mine.csv", "Is a directory"]),
    "submission: empty": (csv("gldv2_retrieval", "mine.csv", ""), ["mine.csv", "no column id, images"]),
    "submission: unknown images": (csv("gldv2_retrieval", "mine.csv", "id,images\nq,x\n"), ["x", "in the database"]),
    "solution: unknown images": (
        csv("gldv2_retrieval", "retrieval_solution_v2.1.csv", "id,images,Usage\nq,x,Public\n"),
        ["line 2", "x is not in index.csv"],
    ),
    "solution: a query twice": (
        csv("gldv2_recognition", "recognition_solution_v2.1.csv", "id,landmarks,Usage\nq,7,Public\nq,7,Public\n"),
        ["line 3", "q stands there twice"],
    ),
    "index: a name twice": (
        csv("gldv2_retrieval", "index.csv", "id\na\nb\na\n"),
        ["index.csv", "a stands there twice"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_message_and_no_traceback(program, tmp_path: Path, case: str) -> None:
    words, wanted = CASES[case]
    folder = tmp_path / "benchmark"
    folder.mkdir()
    ended = program("eval", *words(folder))
    assert ended.code == 2, ended.out + ended.err
    message = [line for line in ended.err.splitlines() if line.startswith("error:")]
    assert len(message) == 1, ended.err
    assert "Traceback" not in ended.err + ended.out
    for part in wanted:
        assert part in message[0], message[0]
    assert not list(tmp_path.rglob("ran"))


def test_the_program_itself_ends_with_the_message(tmp_path: Path) -> None:
    words = runs(tmp_path, os.system, f"touch {tmp_path}/ran")
    ended = subprocess.run(
        [sys.executable, "eval.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 2
    [message] = ended.stderr.splitlines()
    assert message.startswith(f"error: {tmp_path}/gnd_roxford5k.pkl: no pickle of plain lists and numbers")
    assert ended.stdout == ""
    assert not (tmp_path / "ran").exists()


def test_a_mark_of_byte_order_is_no_part_of_a_name(program, tmp_path: Path) -> None:
    ended = program("eval", *ranking(b"\xef\xbb\xbf100000 0 100001\n")(tmp_path))
    assert ended.code == 0, ended.err
    assert ended.json["counts"]["queries"] == 1


def test_lists_that_are_cut_have_what_is_missing_as_not_found(program, tmp_path: Path) -> None:
    ended = program("eval", *ranking("100000 0 100100\n100100 0 100101\n")(tmp_path))
    assert ended.code == 0, ended.err
    assert ended.json["mAP"] == 0.5  # of two queries with one positive each, one is found, first
    assert ended.json["benchmark"] == "holidays (partial: 4 of 1,491, 2 of 500 queries)"


def test_files_that_are_missing_are_told_before_a_network_is_made(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepret.programs.evaluate.first_network", lambda *_: pytest.fail("a network was made"))
    ended = program("eval", "debug=fast", "benchmark=holidays", f"benchmark.root={tmp_path / 'nothing'}")
    assert ended.code == 2
    assert "there is no such folder" in ended.err
    (tmp_path / "some").mkdir()
    ended = program("eval", "debug=fast", "benchmark=sop", f"benchmark.root={tmp_path / 'some'}")
    assert ended.code == 2
    assert "Ebay_test.txt cannot be read" in ended.err


@pytest.mark.parametrize("name", sorted({*groups()["benchmark"]} - {"none", "split", "classification", "instre"}))
def test_files_that_can_be_fetched_are_said_to_be(program, tmp_path: Path, name: str) -> None:
    ended = program("eval", f"benchmark={name}", f"benchmark.root={tmp_path}")
    assert ended.code == 2
    assert "benchmark.download=true fetches what is missing" in ended.err


def test_a_training_is_told_of_missing_files_before_it_begins(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepret.programs.train.learn_and_score", lambda *_: pytest.fail("it began"))
    ended = program("train", "debug=fast", "benchmark=holidays", f"benchmark.root={tmp_path / 'nothing'}")
    assert ended.code == 2
    assert "there is no such folder" in ended.err
    words = holidays(tmp_path)
    written(tmp_path / "jpg" / "100000.jpg", b"")
    ended = program("train", "debug=fast", *words, f"benchmark.distractors={tmp_path / 'no'}")
    assert ended.code == 2
    assert f"benchmark.distractors={tmp_path / 'no'}: neither a folder of photographs nor a list" in ended.err


@pytest.mark.parametrize("key", ["ranking", "descriptors", "queries"])
def test_an_empty_name_is_that_of_no_file(program, tmp_path: Path, key: str) -> None:
    ended = program("eval", "debug=fast", *holidays(tmp_path / "nothing"), f"benchmark.{key}=")
    assert ended.code == 2
    assert "there is no folder" in ended.err


@pytest.mark.parametrize("key", ["ranking", "descriptors", "queries"])
def test_a_training_scores_its_network_and_no_file(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The figure of the file would stand as that of the network, before training and after."""
    monkeypatch.setattr("deepret.programs.train.data_of", lambda *_: pytest.fail("it began"))
    ended = program("train", "debug=fast", *holidays(tmp_path), f"benchmark.{key}={tmp_path / 'file'}")
    assert ended.code == 2
    assert f"benchmark.{key}={tmp_path / 'file'}: this file would be scored in place of the network" in ended.err
    assert not list((tmp_path / "outputs").glob("*/*/config.yaml"))
