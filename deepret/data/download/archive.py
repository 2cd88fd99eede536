"""What is in a tar, tar.gz or zip file, one entry after the other."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import lzma
import re
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, Literal, NamedTuple

from tqdm import tqdm

from deepret.errors import UserError

CHUNK = 2**20
HEADER = 2**20
"""Bytes that stand before a file in a tar file at most; tarfile would hold them all in memory."""
DIGITS = re.compile(rb"[0-9]{512}")
"""No header has such a number; tarfile before Python 3.11.10 takes the square of its length in time to read it."""
COMMON = 2**16
"""Characters of what stands in a tar file for all files together, at most; tarfile holds them, too."""
MOST, NAMES, LIST = 2_000_000, 2**29, 2**28
"""Entries, bytes that their names take in memory, and bytes of a zip file's list, at most: 2 GB are held in all."""

Kind = Literal["file", "folder", "link", "hard link", "sparse", "other"]


class Entry(NamedTuple):
    """One of an archive: its name as it stands there, what it is, its bytes, and what a hard link is to."""

    name: str
    kind: Kind
    size: int
    target: str = ""


class TooMuch(UserError):
    """An archive that lists more than the memory should hold."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not unpacked: it has more than {MOST:,} entries, or too long a list of their names; nothing "
            f"was written."
        )


class Damaged(UserError):
    """An archive that is cut off, broken, or none at all."""


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """Says in one message that an archive is broken, whatever it is that the reading of it raises.

    Raises:
        Damaged: it is.
        OSError: the disk that it is on cannot be read.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # those are bzip2's, and of a place before the file's start
            raise
        raise Damaged(f"{path} is damaged or cut off, or no archive ({_short(error)}).") from None
    except (
        *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError),
        *(
            MemoryError,
            OverflowError,
            NotImplementedError,
            RuntimeError,
        ),  # a zip file that is packed in an uncommon way, or encrypted
    ) as error:
        raise Damaged(f"{path} is damaged or cut off, or no archive ({_short(error)}).") from None


def _short(error: Exception) -> str:
    """What it says, which may quote a name of 64 kB."""
    return (str(error) or type(error).__name__)[:200]


def walk(path: Path, doing: str) -> Iterator[tuple[Entry, Callable[[], Iterator[bytes]]]]:
    """The entries in their order, each with what reads it, to the archive's end, where gzip's sum is looked at.

    Args:
        path: the archive; its first bytes say of what kind.
        doing: what the bar is called.

    Raises:
        Damaged: it is cut off or broken, which reading an entry may say, too.
        TooMuch: it has more entries than can be held.
    """
    count = names = 0
    size = path.stat().st_size
    found = _zip(path) if _begins(path, b"PK\3\4", b"PK\5\6") else _tar(path)
    with (
        contextlib.closing(found),
        tqdm(total=size, unit="B", unit_scale=True, desc=doing, disable=None, leave=False) as bar,
    ):
        while True:
            with sound(path):
                item = next(found, None)
            if item is None:
                return
            entry, opened, place = item
            count, names = count + 1, names + sys.getsizeof(entry.name) + sys.getsizeof(entry.target)
            if count > MOST or names > NAMES:
                raise TooMuch(path)
            bar.update(place - bar.n)
            yield entry, partial(_content, path, opened)


def _content(path: Path, opened: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    with sound(path):
        source = opened()
    with source:
        while True:
            with sound(path):
                data = source.read(CHUNK)
            if not data:
                return
            yield data


class _Headers:
    """The bytes of a tar file, of which tarfile may read so many at most before a file's."""

    def __init__(self, stream: gzip.GzipFile | BufferedReader) -> None:
        self.stream, self.left, self.last = stream, HEADER, b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise tarfile.ReadError("a header is too long")
        self.left -= count
        self.last = self.stream.read(count)
        if self.left < HEADER and DIGITS.search(self.last):
            raise tarfile.ReadError("a header is one long number")
        return self.last


def _tar(path: Path) -> Generator[tuple[Entry, Callable[[], IO[bytes]], int]]:
    packed = _begins(path, b"\x1f\x8b")
    with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) if packed else raw as stream:
        headers = _Headers(stream)
        with tarfile.open(fileobj=headers, mode="r:") as tar:  # type: ignore[call-overload]
            for member in tar:
                if sum(len(key) + len(value) for key, value in tar.pax_headers.items()) > COMMON:
                    raise tarfile.ReadError("its headers are too long")
                if member.size < 0:
                    raise tarfile.ReadError("a file of less than no bytes")
                headers.left = sys.maxsize
                yield _tar_entry(member), lambda member=member: tar.extractfile(member), raw.tell()  # type: ignore[misc]
                headers.left = HEADER
                tar.members = []  # tarfile would keep them all
            if headers.last != bytes(tarfile.BLOCKSIZE):
                raise EOFError("its end is missing")  # or a header is none, of which tarfile says nothing
            while packed and stream.read(CHUNK):  # to where gzip's sum stands
                pass


def _begins(path: Path, *heads: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(max(map(len, heads))).startswith(heads)


def _tar_entry(member: tarfile.TarInfo) -> Entry:
    if member.issparse():
        return Entry(member.name, "sparse", member.size)
    if member.isreg():
        return Entry(member.name, "file", member.size)
    if member.isdir():
        return Entry(member.name, "folder", 0)
    if member.islnk():
        return Entry(member.name, "hard link", 0, member.linkname)
    if member.issym():
        return Entry(member.name, "link", 0)
    return Entry(member.name, "other", 0)


class _Listed(BufferedReader):
    """The bytes of a zip file, of whose list zipfile makes entries in memory at once."""

    def read(self, count: int | None = -1, /) -> bytes:
        if count is not None and count > LIST:
            raise TooMuch(Path(self.name))
        data = super().read(count)
        if data.count(b"PK\1\2") > MOST:  # before each entry
            raise TooMuch(Path(self.name))
        return data


def _zip(path: Path) -> Generator[tuple[Entry, Callable[[], IO[bytes]], int]]:
    with _Listed(io.FileIO(path)) as raw, zipfile.ZipFile(raw) as file:
        of_windows = not any("/" in info.filename for info in file.infolist())
        for info in file.infolist():
            name = info.filename.replace("\\", "/") if of_windows else info.filename
            if not name:
                raise zipfile.BadZipFile("an entry without a name")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImplementedError("it is packed in another way than zip's own")  # which may take all memory
            mode = info.external_attr >> 16
            opened: Callable[[], IO[bytes]] = lambda info=info: file.open(info)  # type: ignore[misc]  # noqa: E731
            if name.endswith("/"):
                entry = Entry(name, "folder", 0)
            elif stat.S_ISLNK(mode):
                entry = Entry(name, "link", 0)
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                entry = Entry(name, "file", info.file_size)
            else:
                entry = Entry(name, "other", 0)
            yield entry, opened, info.header_offset + info.compress_size
