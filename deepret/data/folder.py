"""A folder of photographs: what is in it, and which of its files can be used."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.check import IMAGES, first, look_at_all, report
from deepret.data.listing import Row
from deepret.errors import UserError

NAMED = 20
"""So many broken files are named at most; of more than that, how many there are says enough."""


class LeftOut(UserWarning):
    """Says which photographs are left out.

    Args:
        text: for people.
        rows: each with why.
    """

    def __init__(self, text: str, rows: list[tuple[Row, str]]) -> None:
        super().__init__(text)
        self.rows = rows


class Broken(LeftOut):
    """Says which files are left out as broken."""


@contextlib.contextmanager
def collected(kind: type[LeftOut] = LeftOut) -> Iterator[list[tuple[Row, str]]]:
    """Collects the photographs that ``leave_out`` is told of, each with why, while that is said as always.

    Args:
        kind: of what is said, such as ``Broken``.
    """
    found: list[tuple[Row, str]] = []

    def hear(message: LeftOut) -> None:
        if isinstance(message, kind):
            found.extend(message.rows)

    _listeners.append(hear)
    try:
        yield found
    finally:
        _listeners.remove(hear)


_listeners: list[Callable[[LeftOut], None]] = []
"""Hear of what is left out, whether or not that is shown: of several processes the first one shows it, once."""


def leave_out(message: LeftOut) -> None:
    """Tells the user which photographs are left out, and whoever collects them."""
    for hear in _listeners:
        hear(message)
    report(message)


def check_folder(root: Path, key: str) -> None:
    """Makes sure that a folder is there.

    Raises:
        UserError: it is not; with the closest name beside it.
    """
    if root.is_dir():
        return
    if root.exists():
        raise UserError(f"{key}={root}: that is a file; name the folder that it is in.")
    try:
        beside = [p.name for p in root.parent.iterdir() if p.is_dir()]
    except OSError:
        beside = []
    near = difflib.get_close_matches(root.name, beside, n=1)
    raise UserError(
        f"{key}={root}: there is no such folder" + (f"; did you mean {root.parent / near[0]}?" if near else ".")
    )


def images_below(folder: Path) -> list[Path]:
    """The files below a folder whose ending says that they are images, in order, and such members of its tar files.

    None that is hidden. Folders that are symbolic links are entered, each folder once, by its own name if it has one.

    Raises:
        UserError: a tar file that cannot be read.
    """
    found = []
    for place, names in _folders(folder):
        for path in (place / name for name in names if not name.startswith(".")):
            if path.suffix.lower() in IMAGES and path.is_file():
                found.append(path)
            elif path.suffix == members.TAR and path.is_file():
                inside = [name for name in members.members(path) if name.lower().endswith(IMAGES)]
                found += [path / name for name in inside if not any(part.startswith(".") for part in name.split("/"))]
    return sorted(found)


def _folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder and all below it that are not hidden, each with the names of its files; links come after the others."""
    visited: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        links = []
        for start in sorted(waiting):
            for place, folders, names in os.walk(start):
                with contextlib.suppress(OSError):  # gone meanwhile: then it has no names
                    there = os.stat(place)
                    if (there.st_dev, there.st_ino) in visited:
                        folders.clear()
                        continue
                    visited.add((there.st_dev, there.st_ino))
                folders[:] = [name for name in folders if not name.startswith(".")]
                links += [path for name in folders if (path := Path(place, name)).is_symlink()]
                yield Path(place), names
        waiting = links


def label_of(root: Path, image: Path) -> str:
    """The label of an image by where it lies: its first folder below the root, or within its tar file.

    An image that lies loose in a tar file has what stands in the member beside it, KEY.cls, or as ``label`` in
    KEY.json, as WebDataset's samples do. Empty where nothing says it. Without spaces around it, and text whatever the
    folder's name: a byte 0xe9 that is no UTF-8 is written ``\\udce9``, so that ``images.csv`` can hold it.
    """
    return _written(root, image).strip().encode("utf-8", "backslashreplace").decode()


def _written(root: Path, image: Path) -> str:
    """The label as it is written."""
    parts = members.split(image)
    if parts is None:
        names = image.relative_to(root).parts
        return names[0] if len(names) > 1 else ""
    tar, name = parts
    if "/" in name:
        return name.split("/")[0]
    key = name.partition(".")[0]
    with contextlib.suppress(OSError):
        return members.content(tar / f"{key}.cls").decode("utf-8", "replace")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        label = json.loads(members.content(tar / f"{key}.json")).get("label")
        return "" if label is None else str(label)
    return ""


def sound(
    root: Path,
    rows: list[Row],
    strict: bool,
    cache: Path | None,
    shared_out: Callable[[list[Row], list[bool]], list[Row]] | None = None,
) -> Catalogue:
    """The catalogue of the rows whose files can be used.

    Args:
        root: the folder.
        rows: what is listed of it.
        strict: whether a file that cannot be used is a mistake.
        cache: where it is kept which files are sound.
        shared_out: gives the rows their splits, by which of them can be used.

    Raises:
        UserError: a box outside its photograph; with ``strict``, a file that cannot be used; no file that can.
    """
    seen = look_at_all(root, [row.path for row in rows], cache)
    if shared_out is not None:
        rows = shared_out(rows, [not what.wrong for what in seen])
    wrong = [(row, what.wrong) for row, what in zip(rows, seen, strict=True) if what.wrong]
    if wrong:
        broken = [f"{row.path} ({why})" for row, why in wrong]
        text = f"{root}: {len(broken):,} of {len(rows):,} files cannot be used"
        if strict or len(broken) == len(rows):
            remedy = "data.strict=false leaves them out" if len(broken) < len(rows) else "there is nothing else in it"
            raise UserError(f"{text}: {first(broken, NAMED)}; mend or remove them ({remedy}).")
        leave_out(Broken(f"{text} and are left out: {first(broken, NAMED)}", wrong))
    kept = [(row, what) for row, what in zip(rows, seen, strict=True) if not what.wrong]
    for row, (width, height, *_) in kept:
        for x0, y0, x1, y1 in row.boxes:
            if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
                raise UserError(
                    f"{root / 'images.csv'}:{row.line}: the box {x0:g},{y0:g},{x1:g},{y1:g} leaves {row.path}, which "
                    f"is {width} × {height} pixels when upright; mend it, or leave its four values empty."
                )
    return Catalogue(
        root,
        paths=[row.path for row, _ in kept],
        labels=[row.label for row, _ in kept],
        splits=[row.split for row, _ in kept],
        sizes=[(what.width, what.height) for _, what in kept],
        boxes=[row.boxes for row, _ in kept],
        views=[False] * len(kept),
    )
