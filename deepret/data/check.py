"""Looks at every file once: what size it is, whether it can be decoded at all, and what its hash is."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import PIL
from tqdm import tqdm

from deepret.data import members
from deepret.data.duplicates.fingerprint import DECODED, FORMAT, fingerprint
from deepret.data.photo import MAX_PIXELS, decode, header_size, reason
from deepret.errors import UserError
from deepret.files import write_whole

IMAGES = tuple(
    f".{ending}"
    for ending in "jpg jpeg jpe jfif png webp bmp tif tiff gif ppm pgm jp2 tga avif heic heif".split()  # noqa: SIM905
)
"""Endings of files that count as photographs where a folder is read without a list."""
MIN_SIDE = 16
"""Shorter sides, in pixels, show nothing."""
MAX_ASPECT = 20
"""Longer strips become nothing but rounding once their larger side is resized."""
RULES = f"{PIL.__version__} {MIN_SIDE} {MAX_ASPECT} {MAX_PIXELS} {FORMAT}"
"""What a verdict, or a hash, depends on beside the file: another Pillow may read what this one cannot."""


class Seen(NamedTuple):
    """Width and height of an upright photograph in pixels, what is wrong with it (empty where nothing is), its hash.

    The hash is empty where something is wrong, or the picture is flat.
    """

    width: int
    height: int
    wrong: str
    hash: str = ""


def look(path: Path) -> tuple[Seen, bool]:
    """What a file is, decoded in full but small, and whether that holds until the file changes."""
    try:
        if members.stat(path).size == 0:
            return Seen(0, 0, "the file is empty"), True
        width, height = header_size(path)
        size = f"{width:,} × {height:,} pixels"
        if min(width, height) < MIN_SIDE:
            return Seen(width, height, f"{size}: a side is shorter than {MIN_SIDE}"), True
        if max(width, height) > MAX_ASPECT * min(width, height):
            return Seen(width, height, f"{size}: one side is more than {MAX_ASPECT} times the other"), True
        found = fingerprint(decode(path, max_side=DECODED))
    except Exception as error:  # a disk or a memory that fails may work next time
        return Seen(0, 0, reason(error)), getattr(error, "errno", None) is None and not isinstance(error, MemoryError)
    return Seen(width, height, "", found), True


def look_at_all(root: Path, paths: Sequence[str], cache: Path | None) -> list[Seen]:
    """``look`` for each of a folder's files; what it found is kept, so that an unchanged file is looked at once.

    Args:
        root: the folder.
        paths: files in it.
        cache: folder for what was found, or None.
    """
    kept = None if cache is None else kept_for(root, cache)
    known = _read(kept)
    stamps = {path: stamp(root / path) for path in paths}
    todo = [path for path, stamp in stamps.items() if known.get(path, [None])[0] != stamp]
    fresh: dict[str, Seen] = {}
    pool = ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 2))
    try:
        looked = pool.map(look, [root / path for path in todo])
        bar = tqdm(looked, "checking files", len(todo), unit=" files", disable=None if todo else True, leave=False)
        for path, (seen, lasting) in zip(todo, bar, strict=True):
            fresh[path] = seen
            if lasting:
                known[path] = [stamps[path], *seen]
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C waits for the files at hand, not for all
        if fresh:
            _write(kept, known)
    return [fresh[path] if path in fresh else Seen(*known[path][1:]) for path in paths]


def kept_for(root: Path, cache: Path) -> Path:
    """Where it is kept what a folder's files are."""
    return cache / "checked" / f"{sha256(os.fsencode(root.resolve())).hexdigest()[:16]}.json"


def report(text: str | UserWarning) -> None:
    """Tells the user of something that was mended by leaving it out; of several processes the first one speaks."""
    if int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0:
        warnings.warn(text, stacklevel=2)


def first(names: Iterable[str], count: int = 5) -> str:
    """The first of many, in one line."""
    names = list(names)
    return ", ".join(names[:count]) + (" …" if len(names) > count else "")


def stamp(path: Path) -> list[int]:
    """A file's size and times, by which it is seen that it is another; −1 where there is none."""
    try:
        return [*members.stat(path)]
    except OSError:
        return [-1, -1, -1]


def _read(kept: Path | None) -> dict[str, list[Any]]:
    """Path → [[bytes, times of change], width, height, wrong, hash]; empty where it was found by other rules."""
    try:
        found = json.loads(kept.read_text(encoding="utf-8")) if kept is not None else {}
        entries = found["seen"].items() if found.get("rules") == RULES else ()
        return {path: [[int(s) for s in e[0]], int(e[1]), int(e[2]), str(e[3]), str(e[4])] for path, e in entries}
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        return {}


def _write(kept: Path | None, known: dict[str, list[Any]]) -> None:
    """Keeps what was found; where that fails, files are looked at again next time."""
    if kept is None:
        return
    with contextlib.suppress(UserError):
        write_whole(kept, json.dumps({"rules": RULES, "seen": known}).encode())
