"""``deepret clean``: what it keeps, what it writes, what it refuses, and that a kill changes nothing."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from noisy import board, noisy, view
from PIL import Image
from started import ROOT, hear_control_c

from deepret import files
from deepret.cleaning.folder import is_finished
from deepret.cleaning.pairs import compared
from deepret.cleaning.stages import Cleaning

pytestmark = pytest.mark.slow

FAST = ("features.size=260", "features.count=400", "links.across=400", "threads=1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noisy(tmp_path / "photos")
    return tmp_path / "photos"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"  # who closes a file lets go of all its process' locks on it
    }


def outcome(out: Path) -> dict[str, object]:
    """What a cleaning says, without what it took."""
    told = json.loads((out / "cleaning.json").read_text())
    own = {name: told[name] for name in ("kept", "dropped", "links", "compared", "thresholds", "finished")}
    pairs = pq.read_table(out / "pairs.parquet").to_pylist()
    return {**own, "pairs": pairs, "csv": (out / "images.csv").read_text(), "dropped": rows(out / "dropped.csv")}


def test_what_shows_the_same_is_kept_with_its_box_and_the_photographs_are_left_alone(
    program, folder: Path, tmp_path: Path
) -> None:
    before, out = content(folder), tmp_path / "clean"
    ended = program("clean", f"data.root={folder}", f"out={out}", *FAST)
    assert ended.code == 0, ended.err
    assert content(folder) == before
    kept, lost = rows(out / "images.csv"), rows(out / "dropped.csv")
    assert len(kept) == ended.json["kept"] == 4 * 5
    assert len(lost) == 4 * 3
    for row in kept:
        assert row["path"].startswith("../photos/thing")
        assert int(Path(row["path"]).stem) < 5
        true = view(int(row["label"].removeprefix("thing")), int(Path(row["path"]).stem))[1]
        found = [float(row[name]) for name in ("x0", "y0", "x1", "y1")]
        assert iou(true, found) > 0.6, row
    assert {row["reason"] for row in lost} == {"no verified pair with another of its class"}
    assert {row["path"] for row in lost} == {f"thing{i}/{n}.png" for i in range(4) for n in (5, 6, 7)}
    pairs = pq.read_table(out / "pairs.parquet").to_pylist()
    assert len(pairs) == ended.json["links"] == 4 * 10
    one = next(pair for pair in pairs if pair["label"] == "thing0")
    assert one["kept"]
    assert len(one["transform"]) == 9
    assert len(one["box_first"]) == 4
    assert (out / "report.html").is_file()


def iou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return both / (sum(areas) - both)


def test_a_network_trains_on_what_was_cleaned(program, folder: Path, tmp_path: Path) -> None:
    assert program("clean", f"data.root={folder}", f"out={tmp_path / 'clean'}", *FAST).code == 0
    words = (
        "data=catalogue",
        f"data.root={tmp_path / 'clean'}",
        "regions=rpn",
        "boxes=given",
        "debug=fast",
        "batch.images=4",
    )
    ended = program("train", *words, "trainer=cpu", "trainer.precision=32-true")
    assert ended.code == 0, ended.err
    assert set(ended.json["stages"]) >= {"1-ranking", "3-ranking"}


def test_a_folder_is_not_replaced_unless_that_is_asked_for(program, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean"
    words = (f"data.root={folder}", f"out={out}", *FAST)
    assert program("clean", *words).code == 0
    first = outcome(out)
    refused = program("clean", *words)
    assert refused.code == 2
    assert "overwrite=true" in refused.err
    assert program("clean", *words, "overwrite=true", "graph.least=9").code == 2  # nothing is kept
    assert program("clean", *words, "overwrite=true").code == 0
    assert outcome(out) == first


def copies_listed(folder: Path, tmp_path: Path) -> dict[str, Path]:
    """A cleaning's folder with copies, and a folder whose list names them."""
    done, again = tmp_path / "done", tmp_path / "again"
    (done / "photographs").mkdir(parents=True)
    (done / "cleaning.json").write_text('{"made_by": "deepret clean", "finished": true}')
    again.mkdir()
    lines = [f"../done/photographs/{number}.png,thing,train\n" for number in (1, 2)]
    (again / "images.csv").write_text("path,label,split\n" + "".join(lines))
    for number in (1, 2):
        (done / "photographs" / f"{number}.png").write_bytes((folder / "thing0" / f"{number}.png").read_bytes())
    return {"done": done, "again": again}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out={root}"], "that is the folder of the photographs"),
        (["out={root}/clean"], "name a folder elsewhere"),
        (["out={other}"], "of no cleaning"),
        (["out={other}", "overwrite=true"], "of no cleaning"),
        (["out={other}/mine.txt"], "that is a file"),
        (["out={other}/mine.txt/new"], "Not a directory; name a folder that can be written"),
        (["out={done}", "data.root={again}", "overwrite=true"], "1.png would be replaced"),
        (["out={new}", "splits=[trian]"], "splits=trian"),
        (["out={new}", "splits=[]"], "splits=[train]"),
        (["out={new}", "splits=[query]"], "no photograph of query has a label"),
        (["out={new}", "shard=4/4"], "from 0 to n"),
        (["out={new}", "shard=one"], "shard=i/n"),
        (["out={new}", "shard=0/2", "merge=true"], "take one"),
        (["out={new}", "merge=true"], "blocks of pairs are not compared yet"),
        (["out={new}", "graph.unverified=perhaps"], "should be 'drop' or 'keep' or 'stop'."),
        (["out={new}", "features.sise=3"], "features.size"),
        ([], "out is missing"),
    ],
)
def test_a_mistake_is_one_message(program, folder: Path, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    places = {"root": folder, "other": tmp_path / "other", "new": tmp_path / "new", **copies_listed(folder, tmp_path)}
    before, changed = content(tmp_path), folder.stat().st_mtime_ns
    root = [] if any(word.startswith("data.root=") for word in words) else [f"data.root={folder}"]
    ended = program("clean", *root, f"cache={tmp_path / 'c'}", *(w.format(**places) for w in words))
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert {name: what for name, what in content(tmp_path).items() if not name.startswith("c/")} == before
    assert folder.stat().st_mtime_ns == changed


def test_names_that_hydra_takes_in_quotes_only_need_none(program, tmp_path: Path) -> None:
    noisy(tmp_path / "Lärm und c's", classes=2, right=3, wrong=0)
    words = (f"data.root={tmp_path / 'Lärm und c'}'s", f"out={tmp_path / 'rein é'}")
    ended = program("clean", *words, *FAST)
    assert ended.code == 0, ended.err
    assert len(rows(tmp_path / "rein é" / "images.csv")) == 6
    kept = rows(tmp_path / "rein é" / "images.csv")
    assert (tmp_path / "rein é" / kept[0]["path"]).is_file()


def test_the_photographs_of_a_copy_are_never_replaced(program, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean"
    assert program("clean", f"data.root={folder}", f"out={out}", "copy=true", *FAST).code == 0
    copies = rows(out / "images.csv")
    assert all(row["path"].startswith("photographs/thing") for row in copies)
    assert all((out / row["path"]).is_file() for row in copies)
    assert (out / copies[0]["path"]).read_bytes() == (folder / "thing0" / "0.png").read_bytes()
    ended = program("clean", f"data.root={out / 'photographs'}", f"out={out}", "overwrite=true", *FAST)
    assert ended.code == 2
    assert "would be replaced" in ended.err


def test_what_another_writes_while_pairs_are_compared_is_left_as_it_is(
    program, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, match = tmp_path / "clean", Cleaning.match

    def meanwhile(self: Cleaning, shard: int = 0, shards: int = 1) -> None:
        match(self, shard, shards)
        (out / "images.csv").write_text("by hand")

    monkeypatch.setattr(Cleaning, "match", meanwhile)
    ended = program("clean", f"data.root={folder}", f"out={out}", *FAST)
    assert ended.code == 2
    assert "of no cleaning" in ended.err
    assert {path.name: path.read_text() for path in out.iterdir()} == {"images.csv": "by hand"}


def test_a_second_program_is_refused_at_once_and_touches_nothing(
    program, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, match = tmp_path / "clean", Cleaning.match
    words = (f"data.root={folder}", f"out={out}", *FAST)
    assert program("clean", *words).code == 0
    errors = []

    def meanwhile(self: Cleaning, shard: int = 0, shards: int = 1) -> None:
        match(self, shard, shards)
        before = content(out)
        assert json.loads((out / "cleaning.json").read_text())["finished"]
        for more in ((), ("overwrite=true",)):
            second = started(folder, out, tmp_path / "other", *more)
            errors.append(second.communicate(timeout=100)[1])
            assert second.returncode == 2
        assert content(out) == before
        assert not (tmp_path / "other").exists()

    monkeypatch.setattr(Cleaning, "match", meanwhile)
    first = outcome(out)
    assert program("clean", *words, "overwrite=true").code == 0
    assert "a cleaning is there already" in errors[0]
    assert "another program writes there" in errors[1]
    assert outcome(out) == first
    assert not [path.name for path in out.glob(".*")]


def test_shards_come_together_to_what_one_process_finds(program, folder: Path, tmp_path: Path) -> None:
    whole, shared = tmp_path / "whole", tmp_path / "merged"
    words = (f"data.root={folder}", *FAST)
    assert program("clean", *words, f"out={whole}").code == 0
    other = (*words, "seed=0", f"out={shared}", "links.across=300")
    assert program("clean", *other, "shard=1/3").json["blocks"] > 0
    refused = program("clean", *other, "merge=true")
    assert refused.code == 2
    assert "the shards that are not done" in refused.err
    for shard in ("0/3", "2/3"):
        assert program("clean", *other, f"shard={shard}").code == 0
    assert not shared.exists()
    assert program("clean", *other, "merge=true").code == 0
    alone = tmp_path / "alone"
    assert program("clean", *other[:-2], f"out={alone}", "links.across=300").code == 0
    assert outcome(shared) == outcome(alone)


def test_what_cannot_be_used_is_dropped_with_its_reason(program, folder: Path, tmp_path: Path) -> None:
    (folder / "thing0" / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (9, 300), "red").save(folder / "thing0" / "thin.png")
    Image.new("RGB", (200, 160), "grey").save(folder / "thing0" / "flat.png")
    Image.open(folder / "thing0" / "1.png").save(folder / "thing0" / "copy.bmp")
    Image.fromarray(board(3).astype(np.uint8)).resize((4000, 3000)).save(folder / "thing0" / "huge.jpg")
    (folder / "loose.png").write_bytes((folder / "thing0" / "0.png").read_bytes())
    (folder / "alone").mkdir()
    view(900, 0)[0].save(folder / "alone" / "one.png")
    (folder / "strangers").mkdir()
    for number in range(3):
        view(910 + number, 0)[0].save(folder / "strangers" / f"{number}.png")
    out = tmp_path / "clean"
    ended = program("clean", f"data.root={folder}", f"out={out}", *FAST)
    assert ended.code == 0, ended.err
    why = {row["path"]: row["reason"] for row in rows(out / "dropped.csv")}
    assert "no image" in why["thing0/broken.png"]
    assert "shorter than" in why["thing0/thin.png"]
    assert why["thing0/flat.png"] == "no local features in it"
    assert why["thing0/copy.bmp"] == "copy of thing0/1.png"
    assert why["thing0/huge.jpg"] == "no verified pair with another of its class"
    assert why["loose.png"] == "beside the folders that are labels"
    assert ended.json["photographs"] == ended.json["kept"] + len(why)
    assert f"<dd><strong>{ended.json['photographs']}</strong>" in (out / "report.html").read_text()
    assert why["alone/one.png"] == "the only photograph of its class"
    assert {why[f"strangers/{i}.png"] for i in range(3)} == {"no pair of its class is verified"}
    kept = {row["label"] for row in rows(out / "images.csv")}
    assert kept == {f"thing{i}" for i in range(4)}
    more = program("clean", f"data.root={folder}", f"out={tmp_path / 'k'}", *FAST, "graph.unverified=keep")
    assert more.code == 0, more.err
    passed = [row for row in rows(tmp_path / "k" / "images.csv") if row["label"] == "strangers"]
    assert len(passed) == 3
    assert {row["x0"] for row in passed} == {""}
    stopped = program("clean", f"data.root={folder}", f"out={tmp_path / 's'}", *FAST, "graph.unverified=stop")
    assert stopped.code == 2
    assert "strangers" in stopped.err
    assert not (tmp_path / "s").exists()


def test_a_list_may_have_classes_of_one_image_and_other_splits_are_passed_on(program, folder: Path, tmp_path) -> None:
    names = [f"thing{i}/{n}.png" for i in range(4) for n in range(8)]
    split = {0: "train", 1: "train", 2: "train", 3: "test"}
    lines = [f"{name},{name[:6]},{split[int(name[5])]},1,2,90,80" for name in names]
    (folder / "one.png").write_bytes((folder / "thing0" / "0.png").read_bytes())
    (folder / "else.png").write_bytes((folder / "thing0" / "7.png").read_bytes())
    lines += ["one.png,single,train,,,,", "else.png,,distractor,,,,"]
    (folder / "images.csv").write_text("path,label,split,x0,y0,x1,y1\n" + "\n".join(lines) + "\n")
    out = tmp_path / "clean"
    ended = program("clean", f"data.root={folder}", f"out={out}", "splits=[train]", *FAST)
    assert ended.code == 0, ended.err
    kept = rows(out / "images.csv")
    assert sum(row["split"] == "train" for row in kept) == 15
    assert sum(row["split"] == "test" for row in kept) == 8
    assert {row["x0"] for row in kept if row["path"] == "../photos/thing3/7.png"} == {"1"}, "as it was"
    assert [row["path"] for row in kept if row["split"] == "distractor"] == ["../photos/else.png"]
    assert {
        "path": "one.png",
        "label": "single",
        "split": "train",
        "reason": "the only photograph of its class",
    } in rows(out / "dropped.csv")


def test_nothing_that_is_kept_ends_it_after_all_is_said(program, tmp_path: Path) -> None:
    for label in range(2):
        (tmp_path / "photos" / f"c{label}").mkdir(parents=True)
        for number in range(3):
            view(700 + 10 * label + number, 0)[0].save(tmp_path / "photos" / f"c{label}" / f"{number}.png")
    out = tmp_path / "clean"
    ended = program("clean", f"data.root={tmp_path / 'photos'}", f"out={out}", *FAST)
    assert ended.code == 2
    assert "nothing is kept" in ended.err
    assert len(rows(out / "dropped.csv")) == 6
    assert (out / "report.html").is_file()
    assert not (out / "images.csv").exists()


def test_a_full_disk_is_said_and_what_is_done_is_kept(
    program, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (f"data.root={folder}", f"out={tmp_path / 'clean'}", *FAST, "features.count=399")
    count = 0

    def full(path: Path, data: bytes, remedy: str = files.ROOM) -> None:
        nonlocal count
        count += 1
        if count > 2:
            with files.replacing(path, remedy):
                raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data, remedy)

    write = files.write_whole
    monkeypatch.setattr("deepret.cleaning.pairs.compared.write_whole", full)
    ended = program("clean", *words)
    assert ended.code == 2
    assert "the disk is full" in ended.err
    monkeypatch.undo()
    made: list[Path] = []
    save = compared.save
    monkeypatch.setattr("deepret.cleaning.matched.save", lambda path, found: (made.append(path), save(path, found)))
    assert program("clean", *words).code == 0
    assert count >= 3
    done = made.copy()
    made.clear()
    assert program("clean", *words, "overwrite=true").code == 0
    assert done
    assert not made


def started(root: Path, out: Path, cache: Path, *more: str) -> subprocess.Popen[str]:
    words = (f"data.root={root}", f"out={out}", f"cache={cache}", *FAST, *more)
    return subprocess.Popen(
        [sys.executable, "-m", "deepret", "clean", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=hear_control_c,
        start_new_session=True,
    )


def made(out: Path, cache: Path) -> int:
    """How far a cleaning is: the features and blocks that it has kept, and the files that it has written."""
    return sum(1 for _ in cache.rglob("*.npz")) + sum(1 for path in out.rglob("*") if path.name[0] != ".")


def kill_and_go_on(root: Path, tmp_path: Path, at: list[int], how: int) -> int:
    """Kills a cleaning each time that it has made so many files, then compares it with one that was left alone.

    Gives how many kills met one that was at work.
    """
    alone, out, cache = tmp_path / "alone", tmp_path / "out", tmp_path / "own"
    process = started(root, alone, tmp_path / "other")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    met = 0
    for count in at:
        process = started(root, out, cache)
        while made(out, cache) < count and process.poll() is None:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(how)
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        if is_finished(out):  # before the kill, or while it was under way
            break
        assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), err
        met += 1
    else:
        process = started(root, out, cache)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert outcome(out) == outcome(alone)
    assert not [path for path in out.rglob("*") if path.name.endswith(".part") or path.name == ".lock"]
    return met


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.proof)])
def test_a_cleaning_that_is_killed_goes_on_to_the_same_result(folder: Path, tmp_path: Path, how: int) -> None:
    """Of 32 photographs and six blocks: among the features, then among the pairs."""
    assert kill_and_go_on(folder, tmp_path, [5, 34], how) == 2


@pytest.mark.proof
def test_kills_at_any_time_change_nothing(tmp_path: Path) -> None:
    draw, met = random.Random(0), 0
    for round in range(4):
        place = tmp_path / str(round)
        noisy(place / "photos", classes=6, right=6, wrong=6)
        files = sorted(draw.randrange(1, 130) for _ in range(7))
        met += kill_and_go_on(place / "photos", place, files, signal.SIGKILL)
    assert met >= 12
