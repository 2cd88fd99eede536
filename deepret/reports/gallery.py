"""Pictures of queries with their first results, right ones framed in green and wrong ones in red."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from deepret.benchmarks.result import Result
from deepret.data.photo import Photo, open_photo, upright_size
from deepret.errors import UserError
from deepret.files import replacing
from deepret.reports.weighed import coloured

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright photograph, half-open."""

RIGHT, WRONG, QUERY, REGION = "#1a9850", "#d73027", "#2b5c8a", "#ffd92f"
INK, PAPER, GAP, _FRAME = "#222222", "#ffffff", 8, 4


def gallery(
    result: Result,
    *,
    rows: int = 8,
    columns: int = 8,
    side: int = 160,
    queries: Sequence[int] | None = None,
    regions: Callable[[Photo], Sequence[Box]] | None = None,
    heat: Callable[[Photo], Tensor] | None = None,
) -> Image.Image:
    """A row for each query: the query at the left in a blue frame with its AP, then its first results.

    Args:
        result: what a benchmark gave.
        rows: how many queries; by default spread evenly from the worst AP to the best, so that failures show.
        columns: how many results of each.
        side: of a cell, in pixels.
        queries: which queries instead, by number.
        regions: a photograph's boxes in pixels of the upright image, to be drawn on it.
        heat: what the cells (H, W) of a photograph weigh, to be shown in colours over it.
    """
    chosen = list(queries) if queries is not None else spread(result.ap, rows)
    font = ImageFont.load_default(size=max(10, side // 11))
    text = 2 * max(10, side // 11)
    pitch = side + GAP
    sheet = Image.new("RGB", (3 * GAP + pitch * (columns + 1), GAP + text + (pitch + text) * len(chosen)), PAPER)
    pen = ImageDraw.Draw(sheet)
    title = f"{result.benchmark}: {result.main} {100 * result.metrics[result.main]:.1f} %"
    pen.text((GAP, GAP + text // 4), title, INK, font=font, anchor="lt")
    for row, query in enumerate(chosen):
        top = GAP + text + row * (pitch + text)
        paste(sheet, result.queries[query], (GAP, top), side, QUERY, regions, heat)
        pen.text((GAP + side // 2, top + side + text // 4), _ap(result, query), INK, font=font, anchor="mt")
        _results(sheet, result, query, (3 * GAP + pitch, top), columns, side, regions, heat)
    return sheet


def before_after(
    before: Result,
    after: Result,
    *,
    rows: int = 5,
    columns: int = 7,
    side: int = 90,
    queries: Sequence[int] | None = None,
    regions: Callable[[Photo], Sequence[Box]] | None = None,
    names: tuple[str, str] = ("before", "after"),
) -> Image.Image:
    """Two rows for each query: its first results before, and below them those after.

    Args:
        before: of one descriptor.
        after: of another on the same benchmark.
        rows: how many queries; by default spread evenly from the one that lost most AP to the one that gained most.
        columns: how many results of each.
        side: of a result's cell, in pixels; the query's is twice as large.
        queries: which queries instead, by number.
        regions: a photograph's boxes in pixels of the upright image, to be drawn on it.
        names: what to call the two.

    Raises:
        UserError: the two do not ask the same queries.
    """
    if before.queries != after.queries:
        raise UserError(
            f"{before.benchmark} and {after.benchmark} ask other queries: compare two results of one benchmark."
        )
    chosen = list(queries) if queries is not None else spread(after.ap - before.ap, rows)
    font = ImageFont.load_default(size=max(10, side // 9))
    text = 2 * max(10, side // 9)
    pitch, height = side + GAP, 2 * (side + text) + GAP
    left = 4 * GAP + 2 * side
    sheet = Image.new("RGB", (left + pitch * columns, GAP + (height + GAP) * len(chosen)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, query in enumerate(chosen):
        top = GAP + row * (height + GAP)
        pen.text((GAP, top + text // 4), "query", INK, font=font, anchor="lt")
        paste(sheet, before.queries[query], (GAP, top + text), 2 * side, QUERY, regions)
        for half, (name, result) in enumerate(zip(names, (before, after), strict=True)):
            y = top + half * (side + text)
            pen.text((left, y + text // 4), f"{name}: {_ap(result, query)}", INK, font=font, anchor="lt")
            _results(sheet, result, query, (left, y + text), columns, side, regions)
    return sheet


def spread(values: Tensor, count: int) -> list[int]:
    """``count`` places in values (n,), spread evenly over their ascending order from the least to the greatest."""
    order = torch.argsort(values, stable=True)
    picked = torch.linspace(0, len(order) - 1, min(count, len(order))).round().long()
    return [int(i) for i in order[picked]]


def save_png(image: Image.Image, path: Path) -> Path:
    """Writes a PNG, whole or not at all; makes its folder where that is missing.

    Raises:
        UserError: it cannot be written there.
    """
    with replacing(path) as part:
        image.save(part, format="PNG", optimize=True)
    return path


def _ap(result: Result, query: int) -> str:
    return f"AP {100 * float(result.ap[query]):.1f} %"


def _results(
    sheet: Image.Image,
    result: Result,
    query: int,
    corner: tuple[int, int],
    columns: int,
    side: int,
    regions: Callable[[Photo], Sequence[Box]] | None,
    heat: Callable[[Photo], Tensor] | None = None,
) -> None:
    first = [i for i in result.ranking[query, :columns].tolist() if i >= 0]
    for column, i in enumerate(first):
        colour = RIGHT if i in result.relevant[query] else WRONG
        place = (corner[0] + column * (side + GAP), corner[1])
        paste(sheet, result.database[i], place, side, colour, regions, heat)


def paste(
    sheet: Image.Image,
    photo: Photo,
    corner: tuple[int, int],
    side: int,
    colour: str,
    regions: Callable[[Photo], Sequence[Box]] | None,
    heat: Callable[[Photo], Tensor] | None = None,
) -> None:
    """Puts a photograph into the middle of a square cell, framed, with what is known of it drawn on it."""
    inner = side - 2 * _FRAME
    image = open_photo(photo.path, max_side=inner)
    scale = inner / max(image.size)
    image = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )
    if heat is not None:
        image = coloured(image, heat(photo))
    pen = ImageDraw.Draw(image)
    across = upright_size(photo.path)
    for box in regions(photo) if regions else []:
        _outline(pen, box, across, image.size, REGION)
    if photo.box is not None:
        _outline(pen, photo.box, across, image.size, QUERY)
    x, y = corner[0] + (side - image.width) // 2, corner[1] + (side - image.height) // 2
    frame = (x - _FRAME, y - _FRAME, x + image.width + _FRAME - 1, y + image.height + _FRAME - 1)
    ImageDraw.Draw(sheet).rectangle(frame, fill=colour)
    sheet.paste(image, (x, y))


def _outline(pen: ImageDraw.ImageDraw, box: Box, across: tuple[int, int], shown: tuple[int, int], colour: str) -> None:
    """A coloured line with a dark edge, so that it shows on light and dark alike."""
    x0, y0, x1, y1 = (v * shown[i % 2] / across[i % 2] for i, v in enumerate(box))
    x1, y1 = max(x0, x1 - 1), max(y0, y1 - 1)
    pen.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline="black", width=4)
    pen.rectangle((x0, y0, x1, y1), outline=colour, width=2)
