"""Where an archive's entries go below the folder that it is unpacked into, if none of them leads out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from deepret.data.download.archive import Entry

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
        Unsafe: the first entry that leads out, with what is wrong with it.
    """
    found: list[Entry | None] = []
    above = _parts(inside)
    for entry in entries:
        parts = _checked(entry.name)
        if entry.kind == "other":
            raise Unsafe(f"{_shown(entry.name)} is a device or a pipe")
        if entry.kind == "link":
            raise Unsafe(f"{_shown(entry.name)} is a symbolic link, which might lead out of the folder")
        if parts[: len(above)] != above or len(parts) == len(above):
            found.append(None)
            continue
        target = entry.target
        if entry.kind == "hard link":
            held = _checked(entry.target)
            if held[: len(above)] != above:
                raise Unsafe(f"{_shown(entry.name)} is a link to {_shown(entry.target)}, which is left out")
            target = "/".join(held[len(above) :])
        found.append(entry._replace(name="/".join(parts[len(above) :]), target=target))
    _check_hard_links([entry for entry in found if entry is not None])
    return found


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


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


def _check_hard_links(entries: Sequence[Entry]) -> None:
    """Refuses links to what is no file before them; on some disks A and a are one name."""
    seen: set[str] = set()
    for entry in entries:
        if entry.kind == "hard link" and entry.target.casefold() not in seen:
            raise Unsafe(f"{_shown(entry.name)} is a link to {_shown(entry.target)}, which is no file before it")
        if entry.kind != "folder":
            seen.add(entry.name.casefold())
