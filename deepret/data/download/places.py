"""Where an archive's entries go below the folder that it is unpacked into, if none of them leads out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from deepret.data.download.archive import Entry


class Unsafe(Exception):
    """An entry that would be written elsewhere than below the folder, or that is no file."""


def places(entries: Iterable[Entry], inside: str = "") -> list[Entry | None]:
    """The entries under the names that they get, None for those that are left out.

    Nothing passes through a link, so that what the names say is what is written: a link within the folder may be an
    entry's last part alone, and lead to something within.

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
    _check_links([entry for entry in found if entry is not None])
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


def _check_links(entries: Sequence[Entry]) -> None:
    """Refuses links that lead out, and whatever passes through a link; on some disks A and a are one name."""
    links = {entry.name.casefold() for entry in entries if entry.kind == "link"}
    seen: set[str] = set()
    for entry in entries:
        name = entry.name.casefold()
        if name in links and name in seen:
            raise Unsafe(f"{entry.name!r} stands in it twice, and is a link")
        seen.add(name)
        _step(entry, _parts(entry.name), [], links)
        if entry.kind == "link":
            if re.match(r"[/\\]|[A-Za-z]:", entry.target) or not entry.target:
                raise Unsafe(f"{entry.name!r} is a link to {entry.target!r}, out of the folder")
            _step(entry, _parts(entry.target), _parts(entry.name)[:-1], links)
        elif entry.kind == "hard link":
            if entry.target.casefold() in links or entry.target.casefold() not in seen:
                raise Unsafe(f"{entry.name!r} is a link to {entry.target!r}, which is no file before it")
            _step(entry, _parts(entry.target), [], links)


def _step(entry: Entry, path: Sequence[str], start: Sequence[str], links: set[str]) -> None:
    """Follows a path part by part."""
    place = list(start)
    for number, part in enumerate(path):
        if part != "..":
            place.append(part)
        elif place:
            place.pop()
        else:
            raise Unsafe(f"{entry.name!r} is a link to {entry.target!r}, out of the folder")
        if number < len(path) - 1 and "/".join(place).casefold() in links:
            raise Unsafe(f"{entry.name!r} leads through the link {'/'.join(place)!r}")
