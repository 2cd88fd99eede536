from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.files import PARTS, cut, replacing, write_whole
from deepret.reports.gallery import save_png
from deepret.runs.figures import CSVLog, read_csv


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    with pytest.raises(KeyboardInterrupt), replacing(path) as part:  # noqa: PT012
        part.write_bytes(b"thr")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_threads_may_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: write_whole(path, bytes([i]) * 50_000), range(60)))
    found = path.read_bytes()
    assert found == found[:1] * 50_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["n" * 251 + ".txt", "é" * 125 + ".txt"])
def test_the_longest_names_that_a_disk_takes(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"one")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_parts_of_one_file_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        first.write_bytes(b"one")
        second.write_bytes(b"two")
        assert sorted(tmp_path.glob(PARTS)) == sorted([first, second])
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_cut_between_characters() -> None:
    assert [cut("aé€.", count) for count in (7, 6, 5, 3, 2, 0)] == ["aé€.", "aé€", "aé", "aé", "a", ""]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_whole(path, b"new"),
        lambda path: save_png(Image.new("RGB", (4, 3)), path),
        lambda path: Catalogue(path.parent, [], [], [], [], [], []).write_csv(path),
        lambda path: CSVLog(path, "1-ranking"),
    ],
)
def test_a_full_disk_is_one_message_and_keeps_the_old_file(tmp_path: Path, full: None, write) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="file could not be written: the disk is full; "):
        write(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="could not be written"):
        write_whole(tmp_path / "file" / "a.txt", b"one")


def test_figures_that_find_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = CSVLog(tmp_path / "metrics.csv", "1-ranking")
    log.log_metrics({"loss": 0.5, "epoch": 0}, step=1)
    with monkeypatch.context() as patch:

        def fails(*args: object, **kwargs: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "open", fails)
        with pytest.raises(UserError, match=r"metrics\.csv.*the disk is full.*make room"):
            log.log_metrics({"loss": 0.25, "epoch": 1}, step=2)
        (tmp_path / "1-ranking").mkdir()
        (tmp_path / "1-ranking" / "state.ckpt").touch()
        with pytest.raises(UserError, match=r"metrics\.csv.*the disk is full.*resume="):
            log.log_metrics({"loss": 0.25, "epoch": 1}, step=2)
    assert [row["value"] for row in read_csv(log.path)] == ["0.5"]
    CSVLog(log.path, "2-proposals")
    assert [row["value"] for row in read_csv(log.path)] == ["0.5"]
