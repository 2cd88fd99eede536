"""What a collection looks like: a row of pictures for each of some classes.

python -m deepret.reports.contact_sheet out=sheet.png [data=catalogue root=DIR] [split=test] [rows=8] [columns=8]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import NonNegativeInt, PositiveInt

from deepret import config as configuration
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.parts import build
from deepret.reports.command import command
from deepret.reports.gallery import GAP, PAPER, QUERY, paste, save_png


def contact_sheet(
    out: str,
    data: str = "scenes",
    root: str | None = None,
    split: Literal["train", "val", "test", "query", "gallery", "distractor"] = "test",
    rows: PositiveInt = 8,
    columns: PositiveInt = 8,
    side: PositiveInt = 140,
    boxes: bool = False,
    seed: NonNegativeInt = 0,
) -> dict[str, Any]:
    """Draws a contact sheet and writes it.

    Args:
        out: the PNG to write.
        data: an option of the group ``data``.
        root: its folder, where it has one.
        split: what to show.
        rows: classes, drawn at random; without labels, rows of photographs drawn at random.
        columns: photographs of each.
        side: of a cell, in pixels.
        boxes: whether the known boxes are drawn.
        seed: of the draw.

    Returns:
        what the last line prints: the file, and how much is on it.

    Raises:
        UserError: no such data, or nothing of that split in them.
    """
    words = [f"data={data}", *([f"data.root={root}"] if root else [])]
    config = configuration.resolve(configuration.compose("train", words))
    catalogue: Catalogue = build(config["data"]).load()
    lines = drawn(catalogue, split, rows, columns, seed)
    if not lines:
        raise UserError(f"data={data}: there is no photograph with split={split} in it.")
    known = {catalogue.photo(i): catalogue.boxes[i] for line in lines for i in line}
    pitch = side + GAP
    sheet = Image.new("RGB", (GAP + pitch * max(map(len, lines)), GAP + pitch * len(lines)), PAPER)
    for y, line in enumerate(lines):
        for x, i in enumerate(line):
            corner = (GAP + x * pitch, GAP + y * pitch)
            paste(sheet, catalogue.photo(i), corner, side, QUERY, known.__getitem__ if boxes else None)
    return {"picture": str(save_png(sheet, Path(out))), "rows": len(lines), "images": sum(map(len, lines))}


def drawn(catalogue: Catalogue, split: str, rows: int, columns: int, seed: int) -> list[list[int]]:
    """The catalogue's rows on each line of the sheet: one class a line, or without labels just the next ones."""
    random = np.random.default_rng(seed)
    classes: dict[str, list[int]] = {}
    for i in random.permutation(len(catalogue)).tolist():
        if catalogue.splits[i] == split:
            classes.setdefault(catalogue.labels[i], []).append(i)
    if set(classes) == {""}:
        loose = classes[""]
        return [loose[k : k + columns] for k in range(0, min(len(loose), rows * columns), columns)]
    return [found[:columns] for label, found in classes.items() if label][:rows]


if __name__ == "__main__":
    command(f"{__spec__.name}.contact_sheet", "out=sheet.png")
