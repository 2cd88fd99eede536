"""Fetches one file: goes on where it stopped, tries one address after the other, and looks at what came."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deepret.data.download.answers import (
    BEYOND,
    Dropped,
    Unreachable,
    Unusable,
    answer,
    extent,
    receive,
    validator,
)
from deepret.data.download.part import Part, amount
from deepret.errors import UserError

Checksum = tuple[str, str]
"""The algorithm, as hashlib has it, and the hexadecimal digits."""

CHUNK = 2**20
WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a server is asked again; after the last one it is given up."""
MAGIC = {".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".zip": b"PK"}
"""How files begin, by their ending."""
PAGES = (b"<!doctype html", b"<html")


class NotFetched(UserError):
    """No address gives a file."""


def fetch(urls: Sequence[str], path: Path, *, checksum: Checksum | None = None, size: int | None = None) -> None:
    """Fetches a file from the first address that gives it whole.

    What has come lies beside it as ``NAME.part`` until it is whole and right, after a kill, a broken connection or a
    full disk too, and the next call goes on behind it. It starts anew where the server cannot send parts, or has
    another version by now, or where nothing would show that the part is another file's: it came from another address,
    and there is no checksum.

    Args:
        urls: its addresses, in the order in which they are tried.
        path: where it is to be; the folder is made where it is missing.
        checksum: what the publisher gives.
        size: in bytes, where it is known.

    Raises:
        NotFetched: no address gives it.
        UserError: the disk takes no more, or nothing can be written there.
    """
    said: dict[str, None] = {}
    for url in urls:
        try:
            _fetch_from(url, path, checksum, size)
            return
        except Unusable as error:
            said[f"{url}: {error}"] = None
    kept = len(Part(path))
    more = f" The same command goes on after the {amount(kept)} that have come." if kept else ""
    raise NotFetched(f"{path.name} could not be fetched: {'; '.join(said)}.{more}")


def _fetch_from(url: str, path: Path, checksum: Checksum | None, size: int | None) -> None:
    """Fetches it from one address; once more where what came of another time has spoilt it."""
    while True:
        part = Part(path)
        continued = _usable(part, url, checksum) > 0
        _until_whole(url, part, checksum, size)
        said = wrong(part.path, checksum)
        if not said:
            part.finish()
            return
        part.remove()
        if not continued:
            raise Unusable(said)


def _until_whole(url: str, part: Part, checksum: Checksum | None, size: int | None) -> None:
    """Asks as often as it takes: a few times in a row without getting further."""
    failures, begun, most = 0, len(part), len(part)
    while True:
        try:
            _receive(url, part, checksum, size)
            return
        except Dropped as error:
            failures = 0 if len(part) >= most + CHUNK else failures + 1
            most = max(most, len(part))
            if failures > len(WAITS) or (isinstance(error, Unreachable) and most == begun):
                raise Unusable(str(error)) from None
            time.sleep(WAITS[max(failures - 1, 0)])


def _receive(url: str, part: Part, checksum: Checksum | None, size: int | None) -> None:
    """Writes what one answer brings behind what is there.

    Raises:
        Unusable: the address does not give the file.
        Dropped: it is not whole yet.
        UserError: the disk takes no more.
    """
    have = _usable(part, url, checksum)
    if have and have == (size or part.total):
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and part.url == url and part.mark:
        headers["If-Range"] = part.mark
    with answer(url, headers) as response:
        start, total = extent(response)
        if response.status == BEYOND and have and total == have and size in (None, have):
            return
        if size is not None and total is not None and total != size:
            raise Unusable(f"the file there has {total:,} bytes, not {size:,}")
        if have and response.status != 200 and not _goes_on(part, url, response, start, total):
            part.remove()
        elif response.status == BEYOND or start != (have if response.status == 206 else 0):
            raise Unusable("the server sends another part than it was asked for")
        else:
            _write(url, part, response, start, total or size)
            return
    _receive(url, part, checksum, size)


def _usable(part: Part, url: str, checksum: Checksum | None) -> int:
    """How many bytes of what is there can be gone on with; a checksum shows whether they were right."""
    return len(part) if checksum is not None or part.url == url else 0


def _goes_on(part: Part, url: str, response: Any, start: int, total: int | None) -> bool:
    """Whether an answer's bytes belong behind those that are there."""
    same = part.total is None or total is None or part.total == total
    mark = validator(response)
    unchanged = part.url != url or part.mark is None or mark is None or part.mark == mark
    return response.status == 206 and start == len(part) and same and unchanged


def _write(url: str, part: Part, response: Any, start: int, total: int | None) -> None:
    data = receive(response, CHUNK, url)
    if start == 0:
        _look(data, response.headers.get_content_type(), part.whole.name)
    _make_room(part, start, total)
    if start == 0:
        part.begin(url, validator(response), total)
    bar = {"unit": "B", "unit_scale": True, "desc": part.whole.name, "disable": None, "leave": False}
    with part.open() as file, tqdm(total=total, initial=start, **bar) as shown:
        while data:
            part.add(file, data, total)
            shown.update(len(data))
            start += len(data)
            data = receive(response, CHUNK if total is None else min(CHUNK, total - start), url)
    if total is not None and start < total:
        raise Dropped(f"the connection ended after {amount(start)} of {amount(total)}")


def _make_room(part: Part, start: int, total: int | None) -> None:
    """Makes the folder and sees that the rest of the file has room in it."""
    folder = part.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free + (len(part) - start)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}): name another folder.") from None
    if total is not None and free < total - start:
        raise UserError(
            f"{folder}: {part.whole.name} takes {amount(total - start)} more and {amount(free)} are free there: make "
            f"room, or choose another folder, and give the same command again."
        )


def _look(data: bytes, kind: str, name: str) -> None:
    """Refuses what is plainly another thing: a page where one is to log in, or one that says that it is gone."""
    page = data[:200].lstrip().lower().startswith(PAGES) or kind == "text/html"
    if page and not name.endswith((".html", ".htm")):
        raise Unusable("a web page came in place of the file: perhaps one to log in to, or the file was moved")
    wanted = MAGIC.get(Path(name).suffix)
    if data and wanted is not None and not data.startswith(wanted[: len(data)]):
        raise Unusable(f"what came is no {Path(name).suffix} file")


def wrong(path: Path, checksum: Checksum | None) -> str:
    """What is wrong with a file whose bytes have all come; an empty text where no checksum says so."""
    if not path.is_file() or not path.stat().st_size:
        return "an empty file came"
    if checksum is None:
        return ""
    digest = hashlib.new(checksum[0])
    bar = {"unit": "B", "unit_scale": True, "desc": f"checking {path.stem}", "disable": None, "leave": False}
    with path.open("rb") as file, tqdm(total=path.stat().st_size, **bar) as shown:
        while data := file.read(CHUNK):
            digest.update(data)
            shown.update(len(data))
    found = digest.hexdigest()
    if found == checksum[1].lower():
        return ""
    return f"its {checksum[0]} is {found}, not {checksum[1]} as published"
