"""Unpacks an archive into a folder: all of it or nothing, and nothing elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deepret.data.download.archive import Entry, walk
from deepret.data.download.part import amount
from deepret.data.download.places import UNPACKING, Unsafe, check_together, folded, places
from deepret.errors import UserError
from deepret.files import why


def unpack(archive: Path, folder: Path, inside: str = "") -> list[str]:
    """Unpacks a tar, tar.gz or zip file and gives the names of the files that came of it, in order.

    The whole archive is read and looked at before anything is written. Then it is unpacked into a folder of its own
    beside, from which everything is moved in one step each, over files of the same names. Files get the rights that new
    files have; nothing of the archive is ever run.

    Args:
        archive: the file.
        folder: where it goes; made where it is missing.
        inside: a folder of the archive whose contents alone are wanted, without its name.

    Raises:
        Damaged: it is cut off or broken.
        UserError: something in it leads out of the folder, something else is in its way there, or the disk takes no
            more; nothing is left of it then.
    """
    part = folder / f".{archive.name}{UNPACKING}"
    try:
        placed = _looked_at(archive, inside)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        _make_room(archive, folder, sum(entry.size for entry in placed if entry))
        part.mkdir()
        if part.with_name(part.name.swapcase()).exists():  # a disk that does not tell capitals apart
            with _refusing(archive):
                check_together([entry for entry in placed if entry], folded)
        _write(archive, part, placed)
        for said in _in_the_way(part, folder):
            raise UserError(
                f"{archive} is not unpacked: {said}; mend that, or move it away, and give the same command again: the "
                f"archive is kept."
            )
        _move(part, folder)
        if hasattr(os, "sync"):
            os.sync()  # the archive goes next: a power cut must not take both
    except OSError as error:
        raise UserError(
            f"{archive} could not be unpacked into {folder}: {why(error)}; make room there, or mend that, and give the "
            f"same command again: the archive is kept."
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sorted({entry.name for entry in placed if entry and entry.kind != "folder"})


@contextmanager
def _refusing(archive: Path) -> Iterator[None]:
    try:
        yield
    except Unsafe as error:
        raise UserError(f"{archive} is not unpacked: {error}; nothing was written.") from None


def _looked_at(archive: Path, inside: str) -> list[Entry | None]:
    """The archive's entries under the names that they get."""
    found = [entry for entry, _ in walk(archive, f"looking at {archive.name}")]
    with _refusing(archive):
        placed = places(found, inside)
    if not any(placed):
        raise UserError(f"{archive} is not unpacked: there is nothing{f' in a folder {inside}' * bool(inside)} in it.")
    return placed


def _make_room(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{archive} takes {amount(needed)} in {folder} when unpacked, and {amount(free)} are free: make room there "
            f"and give the same command again; the archive is kept."
        )


def _write(archive: Path, part: Path, placed: Sequence[Entry | None]) -> None:
    """Writes the entries below an empty folder; nothing is written through a link, since none of them is one."""
    for (_, content), entry in zip(walk(archive, f"unpacking {archive.name}"), placed, strict=True):
        if entry is None or entry.target == entry.name:
            continue
        path = part / entry.name
        if entry.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if entry.kind == "hard link":
            path.hardlink_to(part / entry.target)
            continue
        with path.open("xb") as file:
            for data in content():
                file.write(data)


def _in_the_way(part: Path, folder: Path) -> Iterator[str]:
    """What of a folder would stop the moving, and why."""
    for path in part.iterdir():
        place = folder / path.name
        if not os.path.lexists(place):
            continue
        if not path.is_dir():
            if place.is_dir():
                yield f"{place} is a folder, and a file in the archive"
        elif place.is_symlink():
            yield f"{place} is a symbolic link, and a folder in the archive"
        elif not place.is_dir():
            yield f"{place} is a file, and a folder in the archive"
        elif not os.access(place, os.W_OK | os.X_OK):
            yield f"{place} cannot be written"
        elif place.stat().st_dev != path.stat().st_dev:
            yield f"{place} is on another disk than the folder that it is in"
        else:
            yield from _in_the_way(path, place)


def _move(part: Path, folder: Path) -> None:
    """Moves what is in one folder into another, which may have some of its folders."""
    for path in part.iterdir():
        place = folder / path.name
        if path.is_dir() and place.exists():
            _move(path, place)
        else:
            os.replace(path, place)
