"""A web server on this machine that misbehaves as it is told, and archives of every kind."""

from __future__ import annotations

import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deepret.data.download import fetch


@dataclass
class Served:
    """A file on the server, and how it is given."""

    content: bytes
    tag: str | None = '"one"'
    ranges: bool = True
    matching: bool = True  # whether If-Range is looked at
    drops: list[int] = field(default_factory=list)  # after so many bytes each; none left: nothing is dropped
    errors: list[int] = field(default_factory=list)  # these status codes come first
    kind: str = "application/octet-stream"
    length: bool = True
    moved: str = ""


class Server:
    """Gives files by path, and remembers what was asked."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, name: str, content: bytes, **how: object) -> str:
        self.files[f"/{name}"] = Served(content, **how)  # type: ignore[arg-type]
        return f"{self.url}/{name}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted, match = request.headers["Range"], request.headers["If-Range"]
        self.asked.append((request.path, wanted, match))
        file = self.files.get(request.path)
        if file is None:
            request.send_error(404)
            return
        if file.errors:
            request.send_error(file.errors.pop(0))
            return
        if file.moved:
            request.send_response(302)
            request.send_header("Location", file.moved)
            request.end_headers()
            return
        start, total = 0, len(file.content)
        if wanted and file.ranges and not (file.matching and match and match != file.tag):
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1))  # type: ignore[union-attr]
            request.send_response(206 if start < total else 416)
            sent = f"{start}-{total - 1}" if start < total else "*"
            request.send_header("Content-Range", f"bytes {sent}/{total}")
        else:
            request.send_response(200)
        body = file.content[start:]
        if file.length:
            request.send_header("Content-Length", str(len(body)))
        if file.tag:
            request.send_header("ETag", file.tag)
        request.send_header("Content-Type", file.kind)
        request.end_headers()
        request.wfile.write(body[: file.drops.pop(0)] if file.drops else body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "WAITS", (0.0, 0.0, 0.0))
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


def tar_of(files: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """A tar file of names and contents, or of headers as they are."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4777
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def zip_of(files: dict[str, bytes | zipfile.ZipInfo]) -> bytes:
    """A zip file of names and contents; a ZipInfo's comment is its content."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            if isinstance(content, zipfile.ZipInfo):
                file.writestr(content, content.comment)
            else:
                file.writestr(name, content)
    return target.getvalue()


@pytest.fixture
def tarred() -> Callable[..., bytes]:
    return tar_of


@pytest.fixture
def zipped() -> Callable[..., bytes]:
    return zip_of


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Makes writing below a folder fail as on a full disk, after so many bytes."""
    real = Path.open

    def fill(part: str, room: int) -> None:
        left = [room]

        class Limited(io.FileIO):
            def write(self, data: object) -> int:
                fits = bytes(data)[: left[0]]  # type: ignore[call-overload]
                if not fits:
                    raise OSError(28, "No space left on device")
                left[0] -= len(fits)
                return super().write(fits)

        def opened(path: Path, mode: str = "r", *args: object, **kwargs: object) -> object:
            if part in path.name and not path.name.startswith(".") and set(mode) & set("wax") and "b" in mode:
                raw = Limited(path, mode.replace("b", ""))
                return raw if kwargs.get("buffering") == 0 else io.BufferedWriter(raw, 512)
            return real(path, mode, *args, **kwargs)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", opened)

    return fill
