"""The folder that a cleaning writes: whether it may, what it replaces, and what says that it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from deepret.cleaning.copies import PHOTOGRAPHS
from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.listing import Row
from deepret.errors import UserError
from deepret.files import PARTS, why, write_whole
from deepret.runs.lock import LOCK

MARK = "cleaning.json"
"""The file that says that a folder is a cleaning's own, and what came out."""
MADE_BY = {"made_by": "deepret clean"}
"""What every such file has, and no other program's."""
WRITTEN = ("images.csv", "dropped.csv", "pairs.parquet", "report.html")
FOLDERS = ("report", PHOTOGRAPHS)
"""What a cleaning writes, and what ``overwrite`` takes away."""
REPLACED = ".replaced"
"""Where that is until something new stands in its place."""


def check_free(out: Path, overwrite: bool) -> None:
    """Makes sure that a folder holds nothing that may not be replaced.

    Raises:
        UserError: it holds something that no cleaning wrote, or a cleaning that is not to be overwritten, or cannot be
            looked into.
    """
    try:
        if not out.exists():
            return
        if not out.is_dir():
            raise UserError(f"out={out}: that is a file; name a folder.")
        mark = _mark(out)
        if mark is None:
            if not all(path.name == LOCK or path.match(f".{MARK}.*.part") for path in out.iterdir()):
                raise UserError(f"out={out}: there is something already, of no cleaning; name a folder that is empty.")
        elif is_finished(out) and not overwrite:
            raise UserError(
                f"out={out}: a cleaning is there already: overwrite=true replaces it, or name another folder."
            )
    except OSError as error:
        raise UserError(f"out={out}: cannot be looked into: {why(error)}; name another folder.") from None


def is_finished(out: Path) -> bool:
    """Whether a folder holds a cleaning that is finished."""
    mark = _mark(out)
    return mark is not None and bool(mark.get("finished"))


def _mark(out: Path) -> dict[str, Any] | None:
    """What says that a cleaning is a folder's owner; None where nothing does."""
    try:
        found = json.loads((out / MARK).read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
    return found if isinstance(found, dict) and found.items() >= MADE_BY.items() else None


def check_outside(out: Path, root: Path) -> None:
    """Makes sure that a folder is not that of the photographs, or in it.

    Raises:
        UserError: it is.
    """
    there, root = out.resolve(), root.resolve()
    if there == root:
        raise UserError(f"out={out}: that is the folder of the photographs; name a folder elsewhere.")
    if there.is_relative_to(root):
        raise UserError(f"out={out}: that is in {root}, of which it would become a part; name a folder elsewhere.")


def check_apart(out: Path, catalogue: Catalogue, left_out: Iterable[tuple[Row, str]]) -> None:
    """Makes sure that what is written does not mix with the photographs, or replace any, wherever they are listed from.

    Args:
        out: the folder.
        catalogue: the photographs.
        left_out: those that the catalogue has not, with why.

    Raises:
        UserError: the folder is, or is in, that of the photographs, or these, or links to them, are where something is
            written to.
    """
    check_outside(out, catalogue.root)
    there, root = out.resolve(), catalogue.root.resolve()
    own = [os.path.join(there, name) for name in (*FOLDERS, REPLACED)]
    own += map(os.path.realpath, own.copy())
    if _below(os.fspath(root), own):
        raise UserError(f"out={out}: the photographs of {root} would be replaced; name a folder elsewhere.")
    real = lru_cache(maxsize=65536)(os.path.realpath)
    for path in (*catalogue.paths, *(row.path for row, _ in left_out)):
        file = os.path.join(catalogue.root, path)
        parts = members.split(file)
        file = file if parts is None else os.fspath(parts[0])
        folder = real(os.path.dirname(file))
        if _below(folder, own) or (os.path.islink(file) and _below(os.path.realpath(file), own)):
            raise UserError(f"out={out}: the photograph {file} would be replaced; name a folder elsewhere.")


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def begin(out: Path, overwrite: bool) -> None:
    """Marks a folder, which is held, as that of a cleaning that has begun, and moves aside what is to be replaced.

    Raises:
        UserError: it is not free any more, the disk is full, or the folder cannot be written.
    """
    check_free(out, overwrite)
    write_whole(out / MARK, json.dumps({**MADE_BY, "finished": False}).encode())
    try:
        for begun in (*out.glob(PARTS), *(path for name in FOLDERS for path in (out / name).rglob(PARTS))):
            begun.unlink(missing_ok=True)
        if not overwrite:
            for name in WRITTEN:
                (out / name).unlink(missing_ok=True)
            return
        old = out / REPLACED
        old.mkdir(exist_ok=True)
        for name in (*WRITTEN, *FOLDERS):
            if (old / name).exists():  # so what is in its place was not finished
                _remove(out / name)
            elif (out / name).exists():
                (out / name).rename(old / name)
    except OSError as error:
        raise UserError(f"out={out}: cannot be replaced: {why(error)}; mend it, or name another folder.") from None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def finish(out: Path, values: Mapping[str, Any]) -> None:
    """Marks a folder as a finished cleaning's and, then, takes away what it replaces.

    Args:
        out: the folder.
        values: what the mark says beside that.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    write_whole(out / MARK, json.dumps({**MADE_BY, "finished": True, **values}, indent=1).encode())
    shutil.rmtree(out / REPLACED, ignore_errors=True)
