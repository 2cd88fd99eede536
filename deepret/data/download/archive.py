"""What is in a tar, tar.gz or zip file, one entry after the other."""

from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NamedTuple

from tqdm import tqdm

from deepret.errors import UserError

CHUNK = 2**20

Kind = Literal["file", "folder", "link", "hard link", "other"]


class Entry(NamedTuple):
    """One of an archive: its name as it stands there, what it is, its bytes, and what a hard link is to."""

    name: str
    kind: Kind
    size: int
    target: str = ""


class Damaged(UserError):
    """An archive that is cut off, broken, or none at all."""


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """Says in one message that an archive is broken, whatever it is that the reading of it raises.

    Raises:
        Damaged: it is.
    """
    try:
        yield
    except (
        *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, struct.error, ValueError),
        *(NotImplementedError, RuntimeError),  # a zip file that is packed in an uncommon way, or encrypted
    ) as error:
        raise Damaged(f"{path} is damaged or cut off, or no archive ({error or type(error).__name__}).") from None


def walk(path: Path, doing: str) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
    """The entries in their order, each with what opens it, to the archive's end, where gzip's sum is looked at.

    Args:
        path: the archive; its first bytes say of what kind.
        doing: what the bar is called.

    Raises:
        Exception: what ``sound`` makes one message of.
    """
    size = path.stat().st_size
    with tqdm(total=size, unit="B", unit_scale=True, desc=doing, disable=None, leave=False) as bar:
        for entry, opened, place in _zip(path) if _begins(path, b"PK") else _tar(path):
            bar.update(place - bar.n)
            yield entry, opened


def _tar(path: Path) -> Iterator[tuple[Entry, Callable[[], IO[bytes]], int]]:
    packed = _begins(path, b"\x1f\x8b")
    with (
        path.open("rb") as raw,
        gzip.GzipFile(fileobj=raw) if packed else raw as stream,
        tarfile.open(fileobj=stream, mode="r:") as tar,
    ):
        for member in tar:
            yield _tar_entry(member), lambda member=member: tar.extractfile(member), raw.tell()  # type: ignore[misc]
            tar.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
        if packed:
            while stream.read(CHUNK):
                pass
            return
        raw.seek(tar.offset)
        if raw.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise EOFError("its end is missing")  # of which tarfile says nothing


def _begins(path: Path, head: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(head)) == head


def _tar_entry(member: tarfile.TarInfo) -> Entry:
    if member.isreg():
        return Entry(member.name, "file", member.size)
    if member.isdir():
        return Entry(member.name, "folder", 0)
    if member.islnk():
        return Entry(member.name, "hard link", 0, member.linkname)
    if member.issym():
        return Entry(member.name, "link", 0)
    return Entry(member.name, "other", 0)


def _zip(path: Path) -> Iterator[tuple[Entry, Callable[[], IO[bytes]], int]]:
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16
            opened: Callable[[], IO[bytes]] = lambda info=info: file.open(info)  # type: ignore[misc]  # noqa: E731
            if info.is_dir():
                entry = Entry(info.filename, "folder", 0)
            elif stat.S_ISLNK(mode):
                entry = Entry(info.filename, "link", 0)
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                entry = Entry(info.filename, "file", info.file_size)
            else:
                entry = Entry(info.filename, "other", 0)
            yield entry, opened, info.header_offset + info.compress_size
