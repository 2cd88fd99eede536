"""One program at a time in a run's folder, and in a file that many append to."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from deepret.errors import UserError
from deepret.files import why

try:
    import fcntl
except ImportError:  # not on Windows, where two programs can go on with the same run at once
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""What is held in a folder."""

_held: dict[Path, IO[str]] = {}


def hold(folder: Path) -> None:
    """Locks a folder for this process; the system frees it when the process ends, however it ends.

    The lock is the process', not that of workers that it forks, which may outlive it by seconds.

    Raises:
        UserError: another program holds it, or nothing can be written there.
    """
    folder = folder.resolve()
    let_go(folder)
    try:
        file = (folder / LOCK).open("a+")
    except OSError as error:
        raise UserError(f"{folder}: nothing can be written there: {why(error)}.") from None
    if fcntl is None:
        file.close()
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UserError(
                f"{folder} is still training ({holder}): wait for it, stop it, or start another run without resume."
            ) from None
        return  # a file system without locks
    with suppress(OSError):  # a full disk: it is held, but does not say by whom
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    _held[folder] = file


@contextmanager
def alone(file: IO[bytes]) -> Iterator[None]:
    """Waits until no other program is in a file, and keeps others out; where there are no locks, nothing."""
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.lockf(file, fcntl.LOCK_EX)
    yield  # closing the file lets go of it


def let_go(folder: Path) -> None:
    """Frees a folder that this process holds."""
    file = _held.pop(folder.resolve(), None)
    if file is not None:
        file.close()
