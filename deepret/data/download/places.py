"""Where an archive's entries go below the folder that it is unpacked into, if none of them leads out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from deepret.data.download.archive import Entry


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
        parts = _checked(entry)
        if entry.kind == "other":
            raise Unsafe(f"{entry.name!r} is a device or a pipe")
        if entry.kind == "link":
            raise Unsafe(f"{entry.name!r} is a symbolic link, which might lead out of the folder")
        if parts[: len(above)] != above or len(parts) == len(above):
            found.append(None)
            continue
        target = entry.target
        if entry.kind == "hard link":
            held = _checked(Entry(entry.target, "file", 0))
            if held[: len(above)] != above:
                raise Unsafe(f"{entry.name!r} is a link to {entry.target!r}, which is left out")
            target = "/".join(held[len(above) :])
        found.append(entry._replace(name="/".join(parts[len(above) :]), target=target))
    _check_hard_links([entry for entry in found if entry is not None])
    return found


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _checked(entry: Entry) -> list[str]:
    """The parts of an entry's name.

    Raises:
        Unsafe: it is absolute, or leads upwards, as any system reads it.
    """
    if re.match(r"[/\\]|[A-Za-z]:", entry.name):
        raise Unsafe(f"{entry.name!r} has an absolute path")
    if ".." in re.split(r"[/\\]", entry.name) or "\0" in entry.name:
        raise Unsafe(f"{entry.name!r} leads upwards")
    return _parts(entry.name)


def _check_hard_links(entries: Sequence[Entry]) -> None:
    """Refuses links to what is no file before them; on some disks A and a are one name."""
    seen: set[str] = set()
    for entry in entries:
        if entry.kind == "hard link" and entry.target.casefold() not in seen:
            raise Unsafe(f"{entry.name!r} is a link to {entry.target!r}, which is no file before it")
        if entry.kind != "folder":
            seen.add(entry.name.casefold())
