"""Looks at every file once: what size it is, and whether it can be decoded at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from tqdm import tqdm

from deepret.data.photo import open_photo, reason, upright_size
from deepret.errors import UserError

IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2", ".avif", ".heic"}
"""Endings of files that count as photographs where a folder is read without a list."""
MIN_SIDE = 16
MAX_ASPECT = 20

Seen = tuple[int, int, str]
"""Width, height, and what is wrong (empty where nothing is)."""


def look(path: Path) -> Seen:
    """Size of the upright photograph, and why it cannot be used, if so: the whole file is decoded, small."""
    try:
        width, height = upright_size(path)
        if min(width, height) < MIN_SIDE:
            return width, height, f"{width} × {height} pixels: smaller than {MIN_SIDE} on a side"
        if max(width, height) > MAX_ASPECT * min(width, height):
            return width, height, f"{width} × {height} pixels: longer than {MAX_ASPECT} times its width"
        open_photo(path, max_side=32)
    except (UserError, OSError) as error:
        if path.is_file() and path.stat().st_size == 0:
            return 0, 0, "the file is empty"
        text = reason(error)
        return 0, 0, text.partition("(")[2].rpartition(")")[0] or text
    return width, height, ""


def look_at_all(root: Path, paths: Sequence[str], cache: Path | None) -> list[Seen]:
    """``look`` for each of a folder's files; what it found is kept, so that an unchanged file is looked at once.

    Args:
        root: the folder.
        paths: files in it.
        cache: folder for what was found, or None.
    """
    kept = None if cache is None else cache / "checked" / f"{sha256(str(root.resolve()).encode()).hexdigest()[:16]}.json"
    known = _read(kept)
    found: dict[str, Seen] = {}
    todo = []
    for path in paths:
        key = _key(root / path)
        if key in known:
            width, height, wrong = known[key]
            found[path] = (width, height, wrong)
        else:
            todo.append((path, key))
    if todo:
        with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 2)) as pool:
            seen = pool.map(lambda item: look(root / item[0]), todo)
            for (path, key), what in zip(todo, tqdm(seen, "checking files", len(todo), disable=None, leave=False), strict=True):
                found[path] = known[key] = what
        _write(kept, known)
    return [found[path] for path in paths]


def _key(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return f"{path}|missing"
    return f"{path}|{stat.st_size}|{stat.st_mtime_ns}"


def _read(kept: Path | None) -> dict[str, Seen]:
    try:
        found = json.loads(kept.read_text()) if kept is not None else {}
        return {key: (int(w), int(h), str(wrong)) for key, (w, h, wrong) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(kept: Path | None, known: dict[str, Seen]) -> None:
    """Keeps what was found; where that fails, files are looked at again next time."""
    if kept is None:
        return
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known))
        os.replace(part, kept)
    except OSError:
        part.unlink(missing_ok=True)
