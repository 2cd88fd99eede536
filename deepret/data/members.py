"""Photographs inside tar files: a path that goes through one, ``shards/000001.tar/eiffel/7.jpg``, names a member."""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import tarfile
import zipfile
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deepret.errors import UserError
from deepret.files import replacing

TAR = ".tar"
INDEX = ".index.npz"
"""What a tar file's index is called after it; it lies beside the tar, where that can be written."""


FORMAT = 2
"""Of the index; one of another is made again."""


class Stat(NamedTuple):
    """Bytes of a file or a member, and when it, or its tar, was changed, in nanoseconds.

    ``changed`` is what copying may take along; ``placed`` is when the disk last put something there.
    """

    size: int
    changed: int
    placed: int


class Index:
    """Where the members of a tar file are, in 24 bytes each beside the names.

    Args:
        names: the members' names, zero bytes between them.
        table: (n, 3) int64, sorted by its first column: a hash of the name, offset and size in bytes.
    """

    def __init__(self, names: npt.NDArray[np.uint8], table: npt.NDArray[np.int64]) -> None:
        self._names = names
        self._table = table

    def names(self) -> list[str]:
        """The members, in the tar's order."""
        text = self._names.tobytes().decode("utf-8", "surrogateescape")
        return text.split("\0") if text else []

    def place(self, name: str) -> tuple[int, int] | None:
        """Offset and size of a member; None where there is none of the name."""
        key, row = _key(name), 0
        row = int(np.searchsorted(self._table[:, 0], key))
        if row == len(self._table) or self._table[row, 0] != key:
            return None
        return int(self._table[row, 1]), int(self._table[row, 2])


def split(path: Path | str) -> tuple[Path, str] | None:
    """A path's tar file and the member's name in it; None where the path names a file of its own."""
    text, place = os.fspath(path), 0
    while (place := text.find(f"{TAR}{os.sep}", place) + 1) > 0:
        tar = text[: place + len(TAR) - 1]
        if not os.path.isdir(tar):
            return _path(tar), text[len(tar) + 1 :].replace(os.sep, "/")
    return None


_path = lru_cache(maxsize=65536)(Path)
"""Of a tar file: its members ask for it one after the other, and pathlib is slow."""


def stat(path: Path | str) -> Stat:
    """Size and time of change of a file, or of a member of a tar.

    Raises:
        OSError: there is none.
        UserError: a tar that cannot be read.
    """
    parts = split(path)
    if parts is None:
        found = os.stat(path)
        return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    found = os.stat(parts[0])
    return Stat(_place(*parts)[1], found.st_mtime_ns, found.st_ctime_ns)


def exists(path: Path | str) -> bool:
    """Whether a path names a file, or a member of a tar.

    Raises:
        UserError: a tar that cannot be read.
    """
    parts = split(path)
    if parts is None:
        return os.path.isfile(path)
    return parts[0].is_file() and index(parts[0]).place(parts[1]) is not None


def source(path: Path | str) -> Path | str | io.BytesIO:
    """What to open: a file's own path, or a member's bytes.

    Raises:
        OSError: there is no such member, or the tar was cut off since it was listed.
        UserError: a tar that cannot be read.
    """
    parts = split(path)
    return path if parts is None else io.BytesIO(_read(*parts))


def content(path: Path) -> bytes:
    """The bytes of a file or a member.

    Raises:
        OSError: there is none.
        UserError: a tar that cannot be read.
    """
    parts = split(path)
    return path.read_bytes() if parts is None else _read(*parts)


def members(tar: Path) -> list[str]:
    """The names of a tar file's members, in its order.

    Raises:
        UserError: it cannot be read.
    """
    return index(tar).names()


def index(tar: Path) -> Index:
    """The index of a tar file as it is now, read once in a process and made where there is none yet.

    Raises:
        UserError: it is no tar file, compressed, or cut off.
    """
    try:
        found = tar.stat()
    except OSError as error:
        raise UserError(f"{tar}: cannot be read ({error.strerror}).") from None
    return _index(tar, found.st_size, found.st_mtime_ns)


def _read(tar: Path, name: str) -> bytes:
    offset, size = _place(tar, name)
    file = os.open(tar, os.O_RDONLY)
    try:
        found = os.pread(file, size, offset)
    finally:
        os.close(file)
    if len(found) < size:
        raise OSError(f"{tar} is cut off within it")
    return found


def _place(tar: Path, name: str) -> tuple[int, int]:
    found = index(tar).place(name)
    if found is None:
        raise FileNotFoundError(f"{tar} has no such member")
    return found


@lru_cache(maxsize=65536)
def _index(tar: Path, size: int, changed: int) -> Index:
    kept, now = tar.with_name(tar.name + INDEX), np.array([FORMAT, size, changed])
    try:
        with np.load(kept, allow_pickle=False) as found:
            if np.array_equal(found["of"], now):
                return Index(found["names"], found["table"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        pass  # none, or one that is broken
    names, table = _listed(tar)
    try:
        with replacing(kept) as part, part.open("wb") as file:
            np.savez(file, of=now, names=names, table=table)
    except UserError:
        pass  # nothing can be written there: each process lists it for itself
    return Index(names, table)


def _listed(tar: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Goes through a tar file's headers once; links within it are their targets."""
    names, rows, links = [], [], {}
    try:
        with tarfile.open(tar, "r:") as file:
            for member in file:
                name = _plain(member.name)
                if ".." in name.split("/"):
                    continue
                if member.isreg() and not member.issparse():
                    names.append(name)
                    rows.append((_key(name), member.offset_data, member.size))
                elif member.islnk():
                    links[name] = _plain(member.linkname)
                elif member.issym():
                    links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
                file.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{tar}: cannot be read as a tar file ({error or type(error).__name__}); copy it again, and unpack one "
            f"that is compressed (gunzip): photographs are compressed already."
        ) from None
    if links:
        places = {name: (offset, size) for name, (_, offset, size) in zip(names, rows, strict=True)}
        for name, target in links.items():
            through = {name}
            while target not in places and target in links and target not in through:  # a link may name another one
                through.add(target)
                target = links[target]
            if target in places and name not in places:
                names.append(name)
                rows.append((_key(name), *places[target]))
    table: npt.NDArray[Any] = np.array(rows, dtype=np.int64).reshape(-1, 3)
    table = table[np.argsort(table[:, 0], kind="stable")]
    twice = np.flatnonzero(table[1:, 0] == table[:-1, 0])
    if len(twice):
        same = next((a for a, b in pairwise(sorted(names)) if a == b), "a name with another's hash")
        raise UserError(f"{tar}: {same} stands in it twice; pack it again with names of their own.")
    joined = "\0".join(names).encode("utf-8", "surrogateescape")
    return np.frombuffer(joined, dtype=np.uint8), table


def _plain(name: str) -> str:
    """A member's name as a path below its tar."""
    if name.startswith(("/", "./")) or "//" in name or "/./" in name:
        return posixpath.normpath(name).lstrip("/")
    return name


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
