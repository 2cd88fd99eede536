"""Near-duplicates for people to judge: as text, side by side in a picture, and all of them in a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from deepret.comma_separated import comma_separated
from deepret.data.duplicates.leaks import Copies
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.files import write_whole
from deepret.reports.gallery import GAP, INK, PAPER, QUERY, WRONG, paste
from deepret.reports.table import table

COLUMNS = 3
"""Pairs in a row of the picture."""


def by_kind(pairs: Sequence[Copies]) -> dict[str, list[Copies]]:
    """The pairs by what their photographs are for: ``train`` within a split, ``train and test`` across two."""
    found: dict[str, list[Copies]] = {}
    for pair in pairs:
        found.setdefault(" and ".join(dict.fromkeys(pair.of)), []).append(pair)
    return found


def pairs_table(pairs: Sequence[Copies], most: int) -> str:
    """How many pairs there are of each kind, then the first ones by name.

    Args:
        pairs: leaks first.
        most: so many are named of each kind.
    """
    kinds = by_kind(pairs)
    rows = [(kind, len(found), "leak" if found[0].leak else "") for kind, found in kinds.items()]
    lines = [table(["near-duplicates in", "pairs", ""], rows)]
    for kind, found in kinds.items():
        lines.append(f"\n{kind}:")
        lines += [f"  {pair.similarity:.3f}  {pair.names[0]} = {pair.names[1]}" for pair in found[:most]]
        lines += [f"  and {len(found) - most:,} more"] if len(found) > most else []
    return "\n".join(lines)


def side_by_side(pairs: Sequence[Copies], side: int = 200) -> Image.Image:
    """Each pair in two cells with what they are for below; leaks in red frames, others in blue ones.

    Args:
        pairs: what is drawn; of none it says so.
        side: of a cell, in pixels.
    """
    font = ImageFont.load_default(size=max(10, side // 14))
    text = 2 * max(10, side // 14)
    across, down = 2 * side + 3 * GAP, side + text + GAP
    columns = max(1, min(COLUMNS, len(pairs)))
    sheet = Image.new("RGB", (across * columns, GAP + down * max(1, -(-len(pairs) // columns))), PAPER)
    pen = ImageDraw.Draw(sheet)
    if not pairs:
        pen.text((sheet.width // 2, sheet.height // 2), "no near-duplicates", INK, font=font, anchor="mm")
    for number, pair in enumerate(pairs):
        x, y = GAP + number % columns * across, GAP + number // columns * down
        for place, path in enumerate(pair.paths):
            left = x + place * (side + GAP)
            try:
                paste(sheet, Photo(path), (left, y), side, WRONG if pair.leak else QUERY, None)
            except UserError:  # gone meanwhile
                continue
            said = _fitting(pen, f"{pair.of[place]}: ", f"{path.parent.name}/{path.name}", side, font)
            pen.text((left, y + side + text // 4), said, INK, font=font, anchor="lt")
    return sheet


def write_pairs(pairs: Sequence[Copies], path: Path) -> Path:
    """Writes all pairs as a CSV, whole or not at all.

    Raises:
        UserError: it cannot be written there.
    """
    rows: list[list[object]] = [["first", "second", "first_is_of", "second_is_of", "similarity", "leak"]]
    rows += [[*p.paths, *p.of, f"{p.similarity:.3f}", "yes" if p.leak else "no"] for p in pairs]
    write_whole(path, comma_separated(rows).encode("utf-8", "surrogateescape"))
    return path


def _fitting(pen: ImageDraw.ImageDraw, what: str, name: str, width: int, font: Any) -> str:
    """A name after what it is, cut at its own front where both are too long."""
    name = name.encode("utf-8", "replace").decode()
    while len(name) > 1 and pen.textlength(what + name, font=font) > width:
        name = "…" + name[2:]
    return what + name
