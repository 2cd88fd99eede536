"""Whole sets, from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from deepret.benchmarks import protocol
from deepret.benchmarks.holidays import Holidays
from deepret.benchmarks.instre import INSTRE
from deepret.data.download import official, unpack
from deepret.data.download.official import fetch_set
from deepret.data.photo import Photo
from deepret.errors import UserError

NAMES = ["100000", "100001", "100100", "100101", "100102"]


def jpeg(value: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (32, 24), (value, 0, 0)).save(target, "JPEG")
    return target.getvalue()


PHOTOS = {f"jpg/{name}.jpg": jpeg(40 * i) for i, name in enumerate(NAMES)}
LISTED = "".join(f"{name}.jpg\n" for name in NAMES).encode()


@pytest.fixture
def mirrors(server: Any, tmp_path: Path, tarred: Callable[..., bytes]) -> Path:
    """Holidays in miniature: two archives of photographs, one of several files, and one file that is kept."""
    first = tarred({name: PHOTOS[name] for name in list(PHOTOS)[:2]})
    files = [
        {
            "name": "jpg1.tar.gz",
            "urls": [f"{server.url}/gone/jpg1.tar.gz", server.put("jpg1.tar.gz", first)],
            "checksum": {"sha256": hashlib.sha256(first).hexdigest()},
            "size": len(first),
            "unpack": ".",
            "there": [{"jpg/*.jpg": 5}],
            "photographs": True,
        },
        {
            "name": "jpg2.tar.gz",
            "urls": [server.put("jpg2.tar.gz", tarred({name: PHOTOS[name] for name in list(PHOTOS)[2:]}))],
            "unpack": ".",
            "there": [{"jpg/*.jpg": 5}],
            "photographs": True,
        },
        {
            "name": "eval.tgz",
            "urls": [server.put("eval.tgz", tarred({"eval/holidays_images.dat": LISTED, "eval/map.py": b"raise"}))],
            "unpack": ".",
            "inside": "eval",
            "there": [{"holidays_images.dat": 1}],
        },
        {
            "name": "about_{part:02d}.txt",
            "urls": [f"{server.url}/about_{{part:02d}}.txt"],
            "parts": [1, 2],
            "checksum": {"md5": f"{server.url}/about_{{part:02d}}.md5"},
            "keep": "about/{part:02d}.txt",
        },
    ]
    for part in (1, 2):
        server.put(f"about_{part:02d}.txt", b"about" * part)
        server.put(f"about_{part:02d}.md5", f"{hashlib.md5(b'about' * part).hexdigest()}  about.txt\n".encode())
    path = tmp_path / "mirrors.yaml"
    path.write_text(OmegaConf.to_yaml({"holidays": {"site": "the site", "files": files}}))
    return path


def seen(root: Path) -> list[str]:
    """What there is but for the notes."""
    paths = [p.relative_to(root) for p in root.rglob("*") if p.is_file()]
    return sorted(p.as_posix() for p in paths if not p.parts[0].startswith("."))


WHOLE = sorted([*PHOTOS, "holidays_images.dat", "map.py", "about/01.txt", "about/02.txt"])
NOTES = ["eval.tgz..%3Aeval.done", "jpg1.tar.gz..%3A.done", "jpg2.tar.gz..%3A.done", "lock"]


def test_a_set_is_fetched_once(server: Any, mirrors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "new" / "root"
    fetch_set("holidays", root, mirrors=mirrors)
    assert seen(root) == WHOLE
    assert sorted(os.listdir(root / ".download")) == NOTES
    assert "holidays: fetching jpg2.tar.gz (2 of 5)" in capsys.readouterr().out
    count = len(server.asked)
    fetch_set("holidays", str(root), mirrors=mirrors)
    assert len(server.asked) == count
    (root / "about" / "02.txt").unlink()
    (root / "holidays_images.dat").unlink()
    fetch_set("holidays", root, mirrors=mirrors)
    assert [path for path, *_ in server.asked[count:]] == ["/eval.tgz", "/about_02.md5", "/about_02.txt"]
    assert seen(root) == WHOLE
    count = len(server.asked)
    (root / "jpg" / "100101.jpg").unlink()
    fetch_set("holidays", root, mirrors=mirrors)
    assert [path for path, *_ in server.asked[count:]] == ["/jpg2.tar.gz"]
    assert seen(root) == WHOLE


def test_fewer_files_than_are_listed_are_not_fetched_for_ever(server: Any, mirrors: Path, tmp_path: Path) -> None:
    listed = OmegaConf.load(mirrors)
    listed.holidays.files[0].there = listed.holidays.files[1].there = [{"jpg/*.jpg": 6}]
    mirrors.write_text(OmegaConf.to_yaml(listed))
    fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    count = len(server.asked)
    fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    assert len(server.asked) == count


def test_two_sets_of_one_archive_lie_in_one_root(server: Any, tmp_path: Path, tarred: Callable[..., bytes]) -> None:
    url, mirrors = server.put("ox.tgz", tarred(PHOTOS)), tmp_path / "mirrors.yaml"
    sets = {
        name: {
            "site": "the site",
            "files": [{"name": "ox.tgz", "urls": [url], "unpack": folder, "there": [{f"{folder}/**/*.jpg": 5}]}],
        }
        for name, folder in (("oxford5k", "images"), ("roxford5k", "photographs/jpg"))
    }
    mirrors.write_text(OmegaConf.to_yaml(sets))
    for name in (*sets, *sets):
        fetch_set(name, tmp_path / "root", mirrors=mirrors)
    assert seen(tmp_path / "root") == sorted(f"{f}/{name}" for f in ("images", "photographs/jpg") for name in PHOTOS)
    assert len(server.asked) == 2


def test_what_is_there_already_is_not_fetched(server: Any, mirrors: Path, tmp_path: Path) -> None:
    """A copy that was unpacked by hand has no notes, and needs no folder that can be written."""
    for name, content in {**PHOTOS, "holidays_images.dat": LISTED, "about/01.txt": b"1", "about/02.txt": b"2"}.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    before = seen(tmp_path / "root")
    fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    assert server.asked == []
    assert seen(tmp_path / "root") == before
    assert not (tmp_path / "root" / ".download").exists()


def test_photographs_are_left_out_where_they_are_not_needed(server: Any, mirrors: Path, tmp_path: Path) -> None:
    fetch_set("holidays", tmp_path / "root", photographs=False, mirrors=mirrors)
    assert seen(tmp_path / "root") == ["about/01.txt", "about/02.txt", "holidays_images.dat", "map.py"]


@pytest.mark.parametrize("place", ["fetched", "unpacked", "half moved", "noted"])
def test_a_run_that_is_killed_goes_on(
    server: Any, mirrors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever it ends, nothing looks finished that is not, and the archive is not fetched again."""
    root = tmp_path / "root"

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    move, write = unpack._move, official.write_whole

    def half(part: Path, folder: Path) -> None:
        os.makedirs(folder / "jpg")
        os.replace(part / "jpg" / "100000.jpg", folder / "jpg" / "100000.jpg")
        raise KeyboardInterrupt

    def noted(path: Path, data: bytes) -> None:
        write(path, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if place == "fetched":
            patch.setattr(official, "unpack", killed)
        elif place == "noted":
            patch.setattr(official, "write_whole", noted)
        else:
            patch.setattr(unpack, "_move", half if place == "half moved" else killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_set("holidays", root, mirrors=mirrors)
    assert move is unpack._move
    assert (root / ".download" / "jpg1.tar.gz").exists()
    assert (root / ".download" / NOTES[1]).exists() == (place == "noted")
    count = len(server.asked)
    fetch_set("holidays", root, mirrors=mirrors)
    assert seen(root) == WHOLE
    assert sorted(os.listdir(root / ".download")) == NOTES
    assert "/jpg1.tar.gz" not in [path for path, *_ in server.asked[count:]]


def test_an_archive_without_checksum_that_is_damaged_is_taken_away(server: Any, mirrors: Path, tmp_path: Path) -> None:
    whole = server.files["/jpg2.tar.gz"].content
    server.put("jpg2.tar.gz", whole[:-50])
    with pytest.raises(
        UserError, match=r"jpg2.tar.gz is damaged or cut off.*the same command fetches it again"
    ) as error:
        fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    assert "\n" not in str(error.value)
    assert seen(tmp_path / "root") == sorted(list(PHOTOS)[:2])
    server.put("jpg2.tar.gz", whole)
    fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    assert seen(tmp_path / "root") == WHOLE


def test_a_copy_from_elsewhere_is_taken_after_its_checksum(server: Any, mirrors: Path, tmp_path: Path) -> None:
    archive = tmp_path / "root" / ".download" / "jpg1.tar.gz"
    content = server.files.pop("/jpg1.tar.gz").content
    with pytest.raises(UserError, match=rf"jpg1.tar.gz could not be fetched.*404.*See the site;.* lies as {archive}\."):
        fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    archive.write_bytes(content[:-1] + b"x")
    with pytest.raises(UserError, match="could not be fetched"):
        fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    archive.write_bytes(content)
    fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    assert seen(tmp_path / "root") == WHOLE


def test_a_checksum_beside_the_file(server: Any, mirrors: Path, tmp_path: Path) -> None:
    server.put("about_02.md5", b"no sum")
    with pytest.raises(UserError, match=r"about_02.md5: 'no sum' is no md5 of about_02.txt"):
        fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
    server.put("about_02.md5", b"0" * 32)
    with pytest.raises(UserError, match=r"02.txt could not be fetched: .*, not 0{32} as published"):
        fetch_set("holidays", tmp_path / "root", mirrors=mirrors)


def test_of_several_programs_one_fetches(
    server: Any, mirrors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fcntl")
    failed: list[BaseException] = []
    barrier = threading.Barrier(3)

    def want() -> None:
        barrier.wait()
        try:
            fetch_set("holidays", tmp_path / "root", mirrors=mirrors)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=want) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failed
    assert len(server.asked) == len({path for path, *_ in server.asked})
    assert seen(tmp_path / "root") == WHOLE


def test_sets_that_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no files are listed for holliday in .*; did you mean 'holidays'\?"):
        fetch_set("holliday", tmp_path)
    with pytest.raises(UserError, match=r"instre cannot be fetched: .*ftp.irisa.fr.*; then leave download=false"):
        INSTRE(str(tmp_path), download=True).evaluate(lambda photos: torch.zeros(len(photos), 2))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/\.download cannot be written: Not a directory"):
        fetch_set("holidays", tmp_path / "file")


def test_a_benchmark_fetches_its_set(
    server: Any, mirrors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "fetch_set", lambda name, root, **how: fetch_set(name, root, mirrors=mirrors, **how))
    monkeypatch.setattr(Holidays, "count", 5)
    monkeypatch.setattr(Holidays, "asked", 2)
    codes = np.eye(5, dtype=np.float32)

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.from_numpy(codes[[NAMES.index(photo.path.stem) for photo in photos]])

    with pytest.raises(UserError, match=r"there is no such folder. Unpack jpg1.tar.gz"):
        Holidays(str(tmp_path / "root")).evaluate(describe)
    assert server.asked == []
    found = Holidays(str(tmp_path / "root"), download=True).evaluate(describe)
    assert found.benchmark == "holidays"
    assert found.counts["queries"] == 2
    count = len(server.asked)
    again = Holidays(str(tmp_path / "root"), download=True).evaluate(describe)
    assert again.metrics == found.metrics
    assert len(server.asked) == count
    ranking = tmp_path / "ranking.txt"
    ranking.write_text("100000.jpg 0 100001.jpg\n100100.jpg 0 100101.jpg 1 100102.jpg\n")
    found = Holidays(str(tmp_path / "other"), ranking=str(ranking), download=True).evaluate(describe)
    assert found.metrics["mAP"] == 1
    assert not (tmp_path / "other" / "jpg").exists()
