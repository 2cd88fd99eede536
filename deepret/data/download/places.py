"""Where an archive's entries go below the folder that it is unpacked into, if none of them leads out of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from deepret.data.download.archive import Entry

WORK = ".download"
"""The folder below the root for archives on their way, for notes of what is done, and for the lock."""
UNPACKING = ".unpacking"
"""How the name of the folder ends that an archive is unpacked into first."""
NAME, PART, DEPTH = 4096, 255, 64
"""Bytes of a name and of one part of it, and parts, at most: what file systems take."""


class Unsafe(Exception):
    """An entry that would be written elsewhere than below the folder, or that is no file."""


def places(entries: Iterable[Entry], inside: str = "") -> list[Entry | None]:
    """The entries under the names that they get, None for those that are left out.

    No symbolic link is let through: one that leads within may lead out once another archive stands beside it, and no
    published set needs one. A hard link may be to a file that stands before it.

    Args:
        entries: the archive's.
        inside: a folder of the archive whose contents alone are wanted, without its name.

    Raises:
        Unsafe: the first entry that leads out or that no disk can have, with what is wrong with it.
    """
    found: list[Entry | None] = []
    above = _parts(inside)
    for entry in entries:
        parts = _checked(entry.name)
        if entry.kind == "other":
            raise Unsafe(f"{_shown(entry.name)} is a device or a pipe")
        if entry.kind == "sparse":
            raise Unsafe(f"{_shown(entry.name)} is a sparse file, which may be far larger than the archive")
        if entry.kind == "link":
            raise Unsafe(f"{_shown(entry.name)} is a symbolic link, which might lead out of the folder")
        if parts[: len(above)] != above or len(parts) == len(above):
            found.append(None)
            continue
        if _own(parts[len(above) :]):
            raise Unsafe(f"{_shown(entry.name)} has a name that the program keeps for itself")
        target = entry.target
        if entry.kind == "hard link":
            held = _checked(entry.target)
            if held[: len(above)] != above:
                raise Unsafe(f"{_shown(entry.name)} is a link to {_shown(entry.target)}, which is left out")
            target = "/".join(held[len(above) :])
        found.append(entry._replace(name="/".join(parts[len(above) :]), target=target))
    check_together([entry for entry in found if entry is not None])
    return found


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _own(parts: Sequence[str]) -> bool:
    """Whether a place is one of the program's: its folders, and what has come of a file, beside it."""
    found = [part.rstrip(". ").casefold() for part in re.split(r"[/\\]", "/".join(parts))]
    unpacking = found[0].startswith(".") and found[0].endswith(UNPACKING)
    return found[0] == WORK or unpacking or any(part.endswith((".part", ".part.json")) for part in found)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")


def _checked(name: str) -> list[str]:
    """The parts of an entry's name.

    Raises:
        Unsafe: it is absolute, or leads upwards, as any system reads it, or none takes it.
    """
    if re.match(r"[/\\]|[A-Za-z]:", name):
        raise Unsafe(f"{_shown(name)} has an absolute path")
    if ".." in re.split(r"[/\\]", name):
        raise Unsafe(f"{_shown(name)} leads upwards")
    parts = _parts(name)
    try:
        longest = max((len(part.encode()) for part in parts), default=0)
    except UnicodeEncodeError:
        raise Unsafe(f"{_shown(name)} is no name in UTF-8") from None
    if "\0" in name:
        raise Unsafe(f"{_shown(name)} is no name: a zero byte is in it")
    if longest > PART or len(name.encode()) > NAME or len(parts) > DEPTH:
        raise Unsafe(
            f"{_shown(name)} is too long a name: at most {NAME:,} bytes are taken, {PART} between slashes, and {DEPTH} "
            f"folders"
        )
    return parts


def check_together(entries: Sequence[Entry], key: Callable[[str], str] = str) -> None:
    """Looks at whether a disk can have all entries side by side; of two files of one name the later one is taken.

    Args:
        entries: under the names that they get.
        key: what makes names the same that are one to the disk.

    Raises:
        Unsafe: files whose names are one to the disk alone, a file where another entry needs a folder, or a hard link
            to what is no file before it.
    """
    files: dict[str, str] = {}
    for entry in entries:
        if entry.kind == "hard link":
            _check_hard_link(entry, files, key, entries)
        if entry.kind != "folder":
            other = files.setdefault(key(entry.name), entry.name)
            if other != entry.name:
                raise Unsafe(f"{_shown(other)} and {_shown(entry.name)} are one name on the disk of the folder")
    clear = ""
    for entry in entries:
        folder = entry.name if entry.kind == "folder" else entry.name.rpartition("/")[0]
        if folder != clear:
            for above in _and_above(folder):
                if key(above) in files:
                    raise Unsafe(f"{_shown(files[key(above)])} is a file, and a folder that {_shown(entry.name)} needs")
            clear = folder


def _check_hard_link(entry: Entry, files: Collection[str], key: Callable[[str], str], entries: Sequence[Entry]) -> None:
    if entry.target == entry.name and key(entry.name) in files:
        return  # the file that stands there already, once more
    if key(entry.target) == key(entry.name):
        raise Unsafe(f"{_shown(entry.name)} is a link to itself")
    if key(entry.target) not in files:
        folder = any(
            f"{other.name}/".startswith(f"{entry.target}/") and (other.kind == "folder" or other.name != entry.target)
            for other in entries
        )
        what = "a folder" if folder else "no file before it"
        raise Unsafe(f"{_shown(entry.name)} is a link to {_shown(entry.target)}, which is {what}")


def _and_above(folder: str) -> Iterator[str]:
    """A folder and all that it is in."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def folded(name: str) -> str:
    """A name without what a disk that does not tell capitals apart leaves aside."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
