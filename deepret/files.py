"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepret.errors import UserError

ROOM = "make room there, or choose another folder."
"""How most such mistakes are mended."""

FULL = "the disk is full"
"""What most of them are."""

PARTS = ".*.part"
"""Names of files that are not whole yet."""

LONGEST = 200
"""Bytes of a file's name that are in that of its part, which disks keep to 255."""


@contextmanager
def replacing(path: Path, remedy: str = ROOM) -> Iterator[Path]:
    """Gives a name beside ``path`` to write to, then moves what was written there in one step.

    So ``path`` is the old file or the new one, never half of it, after a kill or a power cut too.

    Args:
        path: the file; its folder is made where it is missing.
        remedy: how to mend a disk that takes no more, which ends the message.

    Raises:
        UserError: the disk is full or the folder cannot be written; what stood there still stands.
    """
    part = path.with_name(f".{cut(path.name, LONGEST)}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path} could not be written: {why(error)}; {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | memoryview, remedy: str = ROOM) -> None:
    """Writes a file, whole or not at all.

    Raises:
        UserError: the disk is full or the folder cannot be written; what stood there still stands.
    """
    with replacing(path, remedy) as part:
        part.write_bytes(data)


def digest_of(path: Path | str) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def cut(name: str, count: int) -> str:
    """The characters that a name begins with, of so many bytes at most."""
    name = name[:count]
    while len(os.fsencode(name)) > count:
        name = name[:-1]
    return name


def why(error: OSError) -> str:
    """What is wrong with the disk, in words."""
    return FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else (error.strerror or str(error))
