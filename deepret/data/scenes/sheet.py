"""Contact sheets: many pictures of a set on one page."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from deepret.data.scenes.source import truth

_OWN, _OTHER = "#1a9850", "#ffd92f"


def contact_sheet(
    folder: Path,
    *,
    split: str = "test",
    rows: int = 6,
    columns: int = 8,
    side: int = 200,
    boxes: bool = False,
    step: int = 1,
) -> Image.Image:
    """A page of pictures, a row for each class.

    Args:
        folder: of a rendered set.
        split: whose pictures.
        rows: how many classes.
        columns: how many pictures of each.
        side: of a cell in pixels.
        boxes: draws the boxes of all buildings, the own one green.
        step: takes every so-manieth class.
    """
    images = [r for r in truth(folder)["images"] if r["split"] == split]
    classes: dict[str, list[dict[str, object]]] = {}
    for i, record in enumerate(images):
        classes.setdefault(record["label"] or str(i // columns), []).append(record)
    gap = 6
    chosen = list(classes.values())[::step][:rows]
    sheet = Image.new("RGB", (gap + columns * (side + gap), gap + len(chosen) * (side + gap)), "white")
    for row, records in enumerate(chosen):
        for column, record in enumerate(records[:columns]):
            cell = _cell(folder, record, side, boxes)
            at = gap + column * (side + gap), gap + row * (side + gap)
            sheet.paste(cell, (at[0] + (side - cell.width) // 2, at[1] + (side - cell.height) // 2))
    return sheet


def _cell(folder: Path, record: dict[str, object], side: int, boxes: bool) -> Image.Image:
    with Image.open(folder / str(record["path"])) as file:
        image = file.convert("RGB")
    scale = side / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    if boxes:
        pen = ImageDraw.Draw(image)
        for i, box in enumerate(record["boxes"]):  # type: ignore[var-annotated, arg-type]
            pen.rectangle([v * scale for v in box], outline=_OWN if i == record["own"] else _OTHER, width=2)
    return image
