"""Small JPEGs of photographs, and where a page finds them."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from tqdm import tqdm

from deepret.cleaning.parallel import each
from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.photo import decode
from deepret.files import write_whole

FOLDER = "report"
"""Beside the page; the names in it are rows of the catalogue."""
SIDE = 160
"""The longer side in pixels; smaller photographs stay as they are."""
GREY = "#9a9a9a"
"""Of a photograph that cannot be read any more."""


def write_thumbnails(folder: Path, catalogue: Catalogue, rows: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Writes ``folder/ROW.jpg`` for rows of a catalogue, and gives width and height of each.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """

    def write(row: int) -> tuple[int, int]:
        image = thumbnail(catalogue.root / catalogue.paths[row], catalogue.sizes[row])
        memory = io.BytesIO()
        image.save(memory, "JPEG", quality=80)
        write_whole(folder / f"{row}.jpg", memory.getbuffer())
        return image.size

    bar = tqdm(each(write, rows, None), "drawing the report", len(rows), unit=" images", disable=None, leave=False)
    return dict(zip(rows, bar, strict=True))


def thumbnail(path: Path, size: tuple[int, int]) -> Image.Image:
    """A photograph made small, upright; a grey tile of the shape of ``size`` where it cannot be read."""
    try:
        image = decode(path, SIDE)
    except Exception:  # Pillow's readers raise nearly anything on broken files
        width, height = size if min(size) > 0 else (4, 3)
        scale = SIDE / max(width, height)
        return Image.new("RGB", (max(1, round(width * scale)), max(1, round(height * scale))), GREY)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image


def remove_others(folder: Path, rows: Sequence[int]) -> None:
    """Removes the thumbnails of an earlier page that this one does not show."""
    wanted = {f"{row}.jpg" for row in rows}
    for path in folder.glob("*.jpg"):
        if re.fullmatch(r"[0-9]+\.jpg", path.name) and path.name not in wanted:
            path.unlink(missing_ok=True)


def address(path: Path, folder: Path) -> str | None:
    """The URL of a photograph's file for a page in ``folder``; None for a member of a tar file.

    It is relative below the folder, so that both can be moved together, and absolute elsewhere.
    """
    if members.split(path) is not None:
        return None
    file, page = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    return quote(os.fsencode(file.relative_to(page))) if file.is_relative_to(page) else file.as_uri()
