"""One program at a time in a run's folder, and in a file that many append to."""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from deepret.errors import UserError
from deepret.files import FULL, ROOM, why

try:
    import fcntl
except ImportError:  # not on Windows, where two programs can go on with the same run at once
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""What is held in a folder."""

TRIES = 10
"""So often is a file locked anew that its folder has no more; some disks never say that it has."""


class HeldError(UserError):
    """Another program holds a folder."""


_held: dict[Path, IO[str]] = {}


def hold(folder: Path) -> None:
    """Locks a folder for this process; the system frees it when the process ends, however it ends.

    The lock is the process', not that of workers that it forks, which may outlive it by seconds.

    Raises:
        HeldError: another program holds it.
        UserError: nothing can be written there.
    """
    folder = folder.resolve()
    let_go(folder)
    file = _locked(folder)
    for _ in range(TRIES):
        if file is None or _stands(file, folder / LOCK):
            break
        file.close()  # who held it took the file away meanwhile
        file = _locked(folder)
    if file is None:
        return
    with suppress(OSError):  # a full disk: it is held, but does not say by whom
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    _held[folder] = file


def _locked(folder: Path) -> IO[str] | None:
    """A folder's locked file; None on a system without locks."""
    try:
        file = (folder / LOCK).open("a+")
    except OSError as error:
        raise UserError(f"{folder}: nothing can be written there: {why(error)}.") from None
    if fcntl is None:
        file.close()
        return None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise HeldError(
                f"{folder} is still training ({holder}): wait for it, stop it, or start another run without resume."
            ) from None
        return None  # a file system without locks
    return file


def _stands(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one that a path names."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Makes the folder that a program writes and holds it to the end; takes away again what it made and left empty.

    Args:
        out: the folder, as ``out=`` names it.

    Raises:
        UserError: another program holds it, or it cannot be made or written.
    """
    made: list[Path] = []
    try:
        try:
            made += itertools.takewhile(lambda path: not path.exists(), (out, *out.parents))
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            mend = ROOM if why(error) == FULL else "name a folder that can be written."
            raise UserError(f"out={out}: no folder can be made there: {why(error)}; {mend}") from None
        try:
            hold(out)
        except HeldError:
            raise UserError(f"out={out}: another program writes there; wait for it, or stop it.") from None
        try:
            yield
        finally:
            with suppress(OSError):
                (out / LOCK).unlink()  # before it is let go: who locks it next would lose its file
            let_go(out)
    finally:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


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
