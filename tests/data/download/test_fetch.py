"""One file, from servers that misbehave."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepret.data.download import answers, fetch
from deepret.data.download.fetch import NotFetched
from deepret.data.download.part import Part
from deepret.errors import UserError

CONTENT = random.Random(0).randbytes(300_000)
MD5 = ("md5", hashlib.md5(CONTENT).hexdigest())
SHA = ("sha256", hashlib.sha256(CONTENT).hexdigest())


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checksum", [None, MD5, SHA])
@pytest.mark.parametrize("length", [True, False])
def test_a_file_comes_whole(server: Any, tmp_path: Path, checksum: Any, length: bool) -> None:
    url = server.put("a.bin", CONTENT, length=length)
    fetch.fetch([url], tmp_path / "new" / "a.bin", checksum=checksum, size=len(CONTENT) if checksum else None)
    assert (tmp_path / "new" / "a.bin").read_bytes() == CONTENT
    assert left_in(tmp_path / "new") == ["a.bin"]
    assert server.asked == [("/a.bin", None, None)]


def test_a_dropped_connection_goes_on_where_it_broke(server: Any, tmp_path: Path) -> None:
    url = server.put("a.bin", CONTENT, drops=[100_000, 50_000])
    fetch.fetch([url], tmp_path / "a.bin", checksum=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.asked == [
        ("/a.bin", None, None),
        ("/a.bin", "bytes=100000-", '"one"'),
        ("/a.bin", "bytes=150000-", '"one"'),
    ]


def test_a_connection_that_always_drops_is_one_message_and_the_part_goes_on_later(server: Any, tmp_path: Path) -> None:
    url = server.put("a.bin", CONTENT, drops=[10_000] * 4)
    with pytest.raises(NotFetched, match=r"a.bin could not be fetched: http.*ended after 40.0kB of 300kB.*40.0kB"):
        fetch.fetch([url], tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:40_000]
    assert not (tmp_path / "a.bin").exists()
    fetch.fetch([url], tmp_path / "a.bin")
    assert server.asked[-1] == ("/a.bin", "bytes=40000-", '"one"')
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_getting_further_does_not_count_as_failing(server: Any, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(9 * fetch.CHUNK)
    url = server.put("a.bin", content, drops=[fetch.CHUNK + 1] * 8)
    fetch.fetch([url], tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == content
    assert len(server.asked) == 9


def test_without_ranges_it_starts_anew(server: Any, tmp_path: Path) -> None:
    url = server.put("a.bin", CONTENT, ranges=False, drops=[100_000])
    fetch.fetch([url], tmp_path / "a.bin", checksum=SHA)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("matching", [True, False])
@pytest.mark.parametrize("longer", [0, 7])
def test_a_file_that_changed_starts_anew(server: Any, tmp_path: Path, matching: bool, longer: int) -> None:
    url = server.put("a.bin", bytes(300_000), drops=[50_000] * 4)
    with pytest.raises(NotFetched):
        fetch.fetch([url], tmp_path / "a.bin")
    content = CONTENT + bytes(longer)
    server.put("a.bin", content, tag='"two"' if matching or not longer else None, matching=matching)
    fetch.fetch([url], tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == content


def test_a_part_of_unknown_origin_goes_on_only_under_a_checksum(server: Any, tmp_path: Path) -> None:
    url = server.put("a.bin", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    fetch.fetch([url], tmp_path / "a.bin", checksum=MD5)
    assert server.asked == [("/a.bin", "bytes=1000-", None)]
    (tmp_path / "b.bin.part").write_bytes(b"other")
    fetch.fetch([url], tmp_path / "b.bin")
    assert server.asked[1:] == [("/a.bin", None, None)]
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("length", [1000, 300_000, 300_001])
def test_a_part_that_is_spoilt_is_fetched_again(server: Any, tmp_path: Path, length: int) -> None:
    url = server.put("a.bin", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(bytes(length))
    fetch.fetch([url], tmp_path / "a.bin", checksum=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_only_checked(server: Any, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    fetch.fetch([server.put("a.bin", CONTENT)], tmp_path / "a.bin", checksum=MD5, size=len(CONTENT))
    assert server.asked == []
    (tmp_path / "b.bin.part").write_bytes(CONTENT)
    fetch.fetch([server.put("b.bin", CONTENT)], tmp_path / "b.bin", checksum=MD5)
    assert server.asked == [("/b.bin", "bytes=300000-", None)]
    assert left_in(tmp_path) == ["a.bin", "b.bin"]


def test_the_next_address_is_asked(server: Any, tmp_path: Path) -> None:
    urls = [f"{server.url}/gone.bin", server.put("a.bin", CONTENT)]
    fetch.fetch(urls, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    with pytest.raises(NotFetched, match=r"gone.bin: the server answers 404.*; .*lost.bin: the server answers 404"):
        fetch.fetch([f"{server.url}/gone.bin", f"{server.url}/lost.bin"], tmp_path / "b.bin")


def test_the_next_address_goes_on_under_a_checksum_alone(server: Any, tmp_path: Path) -> None:
    first = server.put("first.bin", CONTENT, drops=[50_000] + [0] * 9)
    second = server.put("second.bin", CONTENT, tag='"else"')
    fetch.fetch([first, second], tmp_path / "a.bin", checksum=MD5)
    assert server.asked[-1] == ("/second.bin", "bytes=50000-", None)
    server.files["/first.bin"].drops = [50_000] + [0] * 9
    fetch.fetch([first, second], tmp_path / "b.bin")
    assert server.asked[-1] == ("/second.bin", None, None)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes() == CONTENT


def test_a_wrong_checksum(server: Any, tmp_path: Path) -> None:
    bad, good = server.put("bad.bin", bytes(1000)), server.put("good.bin", CONTENT)
    fetch.fetch([bad, good], tmp_path / "a.bin", checksum=SHA)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    with pytest.raises(NotFetched, match=r"bad.bin: its md5 is [0-9a-f]{32}, not [0-9a-f]{32} as published"):
        fetch.fetch([bad], tmp_path / "b.bin", checksum=MD5)
    assert left_in(tmp_path) == ["a.bin"]
    assert [path for path, *_ in server.asked] == ["/bad.bin", "/good.bin", "/bad.bin"]


def test_a_size_other_than_the_published_one(server: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match=r"the file there has 300,000 bytes, not 300,001"):
        fetch.fetch([server.put("a.bin", CONTENT)], tmp_path / "a.bin", size=300_001)
    assert left_in(tmp_path) == []


def test_a_busy_server_is_asked_again(server: Any, tmp_path: Path) -> None:
    url = server.put("a.bin", CONTENT, errors=[503, 500, 429])
    fetch.fetch([url], tmp_path / "a.bin")
    server.put("a.bin", CONTENT, errors=[503] * 9)
    with pytest.raises(NotFetched, match="the server answers 503"):
        fetch.fetch([url], tmp_path / "b.bin")
    assert len(server.asked) == 8


@pytest.mark.parametrize(("content", "kind"), [(b" <!DOCTYPE html><html>", "application/x-gzip"), (b"x", "text/html")])
def test_a_page_in_place_of_the_file(server: Any, tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(NotFetched, match="a web page came in place of the file"):
        fetch.fetch([server.put("a.bin", content, kind=kind, ranges=False)], tmp_path / "a.bin", checksum=MD5)
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize(("name", "said"), [("a.tgz", "what came is no .tgz"), ("a.zip", "no .zip"), ("a", "empty")])
def test_another_thing_than_the_archive(server: Any, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(NotFetched, match=said):
        fetch.fetch([server.put(name, b"" if name == "a" else b"text")], tmp_path / name)
    assert left_in(tmp_path) == []


def test_no_server_no_name_no_address(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/a"
        with pytest.raises(NotFetched, match=r"127.0.0.1 refuses the connection\.$"):
            fetch.fetch([closed], tmp_path / "a")
    for url in ("ftp://127.0.0.1/a", "file:///etc/passwd", server.put("moved", b"", moved="ftp://127.0.0.1/a")):
        with pytest.raises(NotFetched, match=r"(ftp|file)://.* is no http or https address"):
            fetch.fetch([url], tmp_path / "a")
    with pytest.raises(NotFetched, match="is no address"):
        fetch.fetch(["http://127.0.0.1/a b"], tmp_path / "a")

    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotFetched, match=r"the name nowhere.invalid cannot be looked up .*online"):
        fetch.fetch(["http://nowhere.invalid/a"], tmp_path / "a")


def test_a_redirection_is_followed(server: Any, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    url = server.put("old", b"", moved=server.put("a.bin", CONTENT))
    fetch.fetch([url], tmp_path / "a.bin", checksum=MD5)
    assert server.asked[-1] == ("/a.bin", "bytes=1000-", None)


def test_a_silent_server(tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "TIMEOUT", 0.05)
    monkeypatch.setattr(fetch, "WAITS", (0.0,))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(NotFetched, match=r"127.0.0.1 was silent for 0.05 s"):
            fetch.fetch([f"http://127.0.0.1:{silent.getsockname()[1]}/a"], tmp_path / "a")


def test_a_disk_that_fills_up(server: Any, tmp_path: Path, full: Callable[[str, int], None]) -> None:
    url = server.put("a.bin", CONTENT)
    with pytest.MonkeyPatch.context() as patch:
        real = Path.open
        full("a.bin.part", 70_000)
        with pytest.raises(UserError, match=r"the disk is full, with 230kB still to come; make room.*after the 70.0kB"):
            fetch.fetch([url], tmp_path / "a.bin")
        patch.setattr(Path, "open", real)
        assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:70_000]
        fetch.fetch([url], tmp_path / "a.bin")
    assert server.asked[-1] == ("/a.bin", "bytes=70000-", '"one"')
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_disk_that_takes_a_little_at_a_time(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(data[: 1 + len(data) // 2])

    monkeypatch.setattr(Part, "open", lambda part: Slow(part.path, "a"))
    fetch.fetch([server.put("a.bin", CONTENT)], tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_redirection_in_a_circle_is_one_line(server: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the server answers 302 ") as error:
        fetch.fetch([server.put("a.bin", b"", moved=f"{server.url}/a.bin")], tmp_path / "a.bin")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("header", ["Content-Length", "Content-Range"])
def test_a_length_of_thousands_of_digits_says_nothing(server: Any, tmp_path: Path, header: str) -> None:
    digits = "9" * 5000

    def answer(request: Any) -> None:
        request.send_response(200 if header == "Content-Length" else 206)
        request.send_header(header, digits if header == "Content-Length" else f"bytes 0-{digits}/{digits}")
        request.end_headers()
        request.wfile.write(CONTENT)

    server.answer = answer
    if header == "Content-Length":
        fetch.fetch([f"{server.url}/a.bin"], tmp_path / "a.bin")
        assert (tmp_path / "a.bin").read_bytes() == CONTENT
    else:
        with pytest.raises(UserError, match="sends a part and does not say which"):
            fetch.fetch([f"{server.url}/a.bin"], tmp_path / "a.bin")


def test_too_little_room_is_said_before_anything_is_written(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    with pytest.raises(UserError, match=r"a.bin takes 300kB more and 1.00kB are free there: make room"):
        fetch.fetch([server.put("a.bin", CONTENT)], tmp_path / "a.bin")
    assert left_in(tmp_path) == []


def test_a_real_disk_that_is_full(server: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [shutil.which("mount"), "-t", "tmpfs", "-o", "size=128k", "none", disk]
    if mount[0] is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with pytest.raises(UserError, match="takes 300kB more and 131kB are free"):
            fetch.fetch([server.put("a.bin", CONTENT)], disk / "a.bin")
        with pytest.raises(UserError, match=r"the disk is full; make room .* that have come"):
            fetch.fetch([server.put("a.bin", CONTENT, length=False)], disk / "a.bin")
        assert CONTENT.startswith((disk / "a.bin.part").read_bytes())
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_that_cannot_be_written(server: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file cannot be written"):
        fetch.fetch([server.put("a.bin", CONTENT)], tmp_path / "file" / "a.bin")


def test_a_process_that_is_killed_goes_on(server: Any, tmp_path: Path) -> None:
    """SIGINT or SIGKILL in the middle: what came is kept."""
    holding = threading.Event()
    answer = server.answer

    def half(request: Any) -> None:
        server.asked.append((request.path, request.headers["Range"], request.headers["If-Range"]))
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.send_header("ETag", '"one"')
        request.end_headers()
        request.wfile.write(CONTENT[:123_456])
        holding.wait(20)

    server.answer = half
    url = f"{server.url}/a.bin"
    code = f"from pathlib import Path; from deepret.data.download.fetch import fetch; fetch([{url!r}], Path('a.bin'))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    until = time.monotonic() + 20
    part = tmp_path / "a.bin.part"
    while not (part.exists() and part.stat().st_size == 123_456) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    holding.set()
    server.answer = answer
    server.put("a.bin", CONTENT)
    fetch.fetch([url], tmp_path / "a.bin")
    assert server.asked[-1] == ("/a.bin", "bytes=123456-", '"one"')
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
