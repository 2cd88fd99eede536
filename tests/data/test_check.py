"""Every file is looked at once, and what is wrong with it is said in a few words."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deepret.data import check
from deepret.data.check import Seen, first, look, look_at_all, report


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were looked at, in any order."""
    names: list[str] = []

    def counted(path: Path) -> tuple[Seen, bool]:
        names.append(path.name)
        return look(path)

    monkeypatch.setattr(check, "look", counted)
    return names


def verdicts(*words: Any) -> list[tuple[int, int, str]]:
    """What ``look_at_all`` finds, without the hashes."""
    return [what[:3] for what in look_at_all(*words)]


def bad_files(folder: Path) -> dict[str, str]:
    """Writes files that cannot be used, each with a part of what is to be said of it."""
    whole = (folder / "1.jpg").read_bytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("no photograph")
    (folder / "half.jpg").write_bytes(whole[:-30])
    (folder / "folder.jpg").mkdir()
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (200, 15)).save(folder / "low.png")
    Image.new("RGB", (20_000, 20)).save(folder / "wide.png")
    Image.new("RGB", (16, 321)).save(folder / "tall (1).png")
    return {
        "empty.jpg": "empty",
        "text.jpg": "no image",
        "half.jpg": "truncated",
        "folder.jpg": "directory",
        "gone.jpg": "no such file",
        "dot.png": "1 × 1 pixels: a side is shorter than 16",
        "low.png": "200 × 15 pixels: a side is shorter than 16",
        "wide.png": "20,000 × 20 pixels: one side is more than 20 times the other",
        "tall (1).png": "16 × 321 pixels: one side is more than 20 times the other",
    }


def test_what_is_wrong_with_a_file(write, photos: Path, tmp_path: Path) -> None:
    write("1.jpg", 40, 30)
    write("least.png", 320, 16)
    Image.new("RGB", (20_000, 1_000)).save(photos / "panorama.jpg")
    reasons = bad_files(photos)
    names = ["1.jpg", *reasons, "least.png", "panorama.jpg"]
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        found = dict(zip(names, verdicts(photos, names, cache), strict=True))
        assert found["1.jpg"] == (40, 30, "")
        assert found["least.png"] == (320, 16, "")
        assert found["panorama.jpg"] == (20_000, 1_000, "")
        for name, why in reasons.items():
            assert why in found[name][2]


def test_a_file_is_looked_at_again_only_when_it_has_changed(
    write, photos: Path, tmp_path: Path, looked: list[str]
) -> None:
    cache, names = tmp_path / "cache", ["1.jpg", "2.jpg", "text.jpg"]
    paths = [write(name) for name in names[:2]]
    (photos / "text.jpg").write_text("no photograph")
    first_time = look_at_all(photos, names, cache)
    assert sorted(looked) == names
    looked.clear()
    assert look_at_all(photos, names, cache) == first_time
    assert look_at_all(photos, names[::-1], cache) == first_time[::-1]
    assert looked == []
    write("2.jpg", 60, 50)
    os.utime(paths[0], ns=(1, 1))
    write("text.jpg", 20, 30)
    assert verdicts(photos, names, cache) == [(40, 30, ""), (60, 50, ""), (20, 30, "")]
    assert sorted(looked) == names


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"rules": 1}', '{"rules": "RULES", "seen": {"1.jpg": [[0]]}}']
)
def test_a_damaged_memory_is_as_good_as_none(write, photos: Path, tmp_path: Path, looked: list[str], text: str) -> None:
    write("1.jpg")
    cache = tmp_path / "cache"
    look_at_all(photos, ["1.jpg"], cache)
    (kept,) = (cache / "checked").iterdir()
    kept.write_text(text.replace("RULES", check.RULES))
    assert verdicts(photos, ["1.jpg"], cache) == [(40, 30, "")]
    assert len(looked) == 2
    assert json.loads(kept.read_text())["seen"]["1.jpg"][1:4] == [40, 30, ""]
    assert list((cache / "checked").iterdir()) == [kept]


def test_other_rules_look_again(
    write, photos: Path, tmp_path: Path, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("1.jpg")
    look_at_all(photos, ["1.jpg"], tmp_path)
    monkeypatch.setattr(check, "RULES", "another Pillow")
    look_at_all(photos, ["1.jpg"], tmp_path)
    assert len(looked) == 2


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), MemoryError("no memory")])
def test_what_a_failing_machine_says_is_not_kept(
    write, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    write("1.jpg")
    with monkeypatch.context() as patched:
        patched.setattr(check, "decode", failing)
        assert look_at_all(photos, ["1.jpg"], tmp_path)[0].wrong
    assert verdicts(photos, ["1.jpg"], tmp_path) == [(40, 30, "")]


def test_a_cache_that_cannot_be_written_stops_nothing(write, photos: Path, tmp_path: Path) -> None:
    write("1.jpg")
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert verdicts(photos, ["1.jpg"], tmp_path / "cache") == [(40, 30, "")]


def test_what_was_found_before_ctrl_c_is_kept(
    write, photos: Path, tmp_path: Path, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{i}.jpg" for i in range(60)]
    for name in names:
        write(name, 16, 16)

    def stopping(path: Path) -> tuple[Seen, bool]:
        if path.name == "40.jpg":
            raise KeyboardInterrupt
        return look(path)

    with monkeypatch.context() as patched:
        patched.setattr(check, "look", stopping)
        with pytest.raises(KeyboardInterrupt):
            look_at_all(photos, names, tmp_path)
    assert verdicts(photos, names, tmp_path) == [(16, 16, "")] * 60
    assert len(looked) <= 20


def test_the_first_process_alone_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    report("not this")
    monkeypatch.setenv("RANK", "0")
    with pytest.warns(UserWarning, match="but this"):
        report("but this")


def test_the_first_of_many() -> None:
    assert first("abc", 3) == "a, b, c"
    assert first("abcd", 3) == "a, b, c …"
