from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageColor

from deepret.benchmarks.result import Result
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.reports.gallery import QUERY, REGION, RIGHT, WRONG, before_after, gallery, save_png, spread

COLOURS = ["#808080", "#101010", "#f0f0f0", "#5050a0", "#a05050"]
SHAPES = [(120, 90), (90, 120), (64, 64), (400, 100), (20, 15)]


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """Two queries over five plain pictures: the first is right at its first place, the second at its third."""
    database = []
    for i, (colour, shape) in enumerate(zip(COLOURS, SHAPES, strict=True)):
        Image.new("RGB", shape, colour).save(tmp_path / f"{i}.png")
        database.append(Photo(tmp_path / f"{i}.png"))
    return Result(
        benchmark="split",
        metrics={"mAP": 0.625},
        counts={"queries": 2, "database": 5},
        queries=database[:2],
        database=database,
        ranking=torch.tensor([[1, 2, 3, 4, -1], [4, 3, 0, 2, -1]]),
        relevant=[{1}, {0}],
        ap=torch.tensor([1.0, 0.25], dtype=torch.float64),
    )


def colours(image: Image.Image) -> dict[tuple[int, ...], int]:
    return {colour: count for count, colour in image.getcolors(image.width * image.height)}


def count(image: Image.Image, colour: str) -> int:
    return colours(image).get(ImageColor.getrgb(colour), 0)


def cell(sheet: Image.Image, column: int, row: int, side: int) -> Image.Image:
    """A cell of the gallery; column −1 is the query's."""
    text = 2 * max(10, side // 11)
    left = 8 if column < 0 else 24 + (side + 8) * (column + 1)
    top = 8 + text + row * (side + 8 + text)
    return sheet.crop((left, top, left + side, top + side))


def test_right_results_are_framed_green_and_wrong_ones_red(result: Result) -> None:
    sheet = gallery(result, rows=2, columns=4, side=100, queries=[0, 1])
    for row, query in enumerate(result.ranking.tolist()):
        assert count(cell(sheet, -1, row, 100), QUERY) > 1000
        assert count(cell(sheet, -1, row, 100), COLOURS[row]) > 1000
        for column, image in enumerate(query[:4]):
            shown = cell(sheet, column, row, 100)
            good = image in result.relevant[row]
            assert (count(shown, RIGHT) > 500) == good
            assert (count(shown, WRONG) > 500) == (not good)
            assert count(shown, COLOURS[image]) > 1000  # the picture that the ranking names


def test_pictures_keep_their_aspect_and_fill_their_cells(result: Result) -> None:
    shown = cell(gallery(result, side=108, queries=[0]), 2, 0, 108)  # 400 × 100 pixels
    picture = [
        (x, y) for x in range(108) for y in range(108) if shown.getpixel((x, y)) == ImageColor.getrgb(COLOURS[3])
    ]
    assert len({x for x, _ in picture}) == 100
    assert len({y for _, y in picture}) == 25


def test_a_ranking_that_ends_early_leaves_its_places_empty(result: Result) -> None:
    assert colours(cell(gallery(result, columns=5, side=100, queries=[0]), 4, 0, 100)) == {(255, 255, 255): 10000}


def test_regions_are_drawn_where_they_lie(result: Result) -> None:
    def regions(photo: Photo) -> list[tuple[float, float, float, float]]:
        return [(200.0, 20.0, 400.0, 100.0)] if photo.path.name == "3.png" else []

    plain = gallery(result, columns=4, side=108, queries=[0])
    drawn = gallery(result, columns=4, side=108, queries=[0], regions=regions)
    assert count(plain, REGION) == 0
    shown = cell(drawn, 2, 0, 108)
    lines = [(x, y) for x in range(108) for y in range(108) if shown.getpixel((x, y)) == ImageColor.getrgb(REGION)]
    # the picture stands at x 4…104, y 41.5…66.5, a quarter of its size: the box is its right half below a fifth
    assert min(x for x, _ in lines) == pytest.approx(4 + 50, abs=1)
    assert max(x for x, _ in lines) == pytest.approx(4 + 100, abs=2)
    assert min(y for _, y in lines) == pytest.approx(41.5 + 5, abs=1)
    assert max(y for _, y in lines) == pytest.approx(41.5 + 25, abs=2)


def test_a_querys_own_box_is_drawn(result: Result) -> None:
    before = count(cell(gallery(result, side=100, queries=[0]), -1, 0, 100), QUERY)
    result.queries[0] = Photo(result.queries[0].path, (30.0, 20.0, 90.0, 70.0))
    assert count(cell(gallery(result, side=100, queries=[0]), -1, 0, 100), QUERY) > before + 100


def test_before_and_after_stand_one_above_the_other(result: Result) -> None:
    better = Result(**{**vars(result), "ranking": torch.tensor([[1, 2, 3, 4, -1], [0, 3, 4, 2, -1]])})
    better.ap = torch.tensor([1.0, 1.0], dtype=torch.float64)
    sheet = before_after(result, better, columns=3, side=100, queries=[1])
    text = 22
    first, second = (sheet.crop((232, y, 332, y + 100)) for y in (8 + text, 8 + 2 * text + 100))
    assert count(first, WRONG) > 500
    assert count(second, RIGHT) > 500
    assert count(first, RIGHT) == count(second, WRONG) == 0
    assert count(sheet.crop((8, 8 + text, 208, 208 + text)), COLOURS[1]) > 10000  # the query, once and large


def test_only_results_of_the_same_queries_are_compared(result: Result) -> None:
    other = Result(**{**vars(result), "queries": result.queries[::-1]})
    with pytest.raises(UserError, match="ask other queries"):
        before_after(result, other)


def test_queries_are_spread_from_the_worst_to_the_best() -> None:
    values = torch.tensor([0.5, 0.1, 0.9, 0.3, 0.7])
    assert spread(values, 5) == [1, 3, 0, 4, 2]
    assert spread(values, 3) == [1, 0, 2]
    assert spread(values, 9) == [1, 3, 0, 4, 2]
    assert spread(values, 2) == [1, 2]


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_png(Image.new("RGB", (4, 3), "red"), tmp_path / "new/a.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (4, 3)

    def full(self: Image.Image, target: Path, **settings: object) -> None:
        target.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="No space"):
        save_png(Image.new("RGB", (4, 3)), path)
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]
    with Image.open(path) as image:
        assert image.size == (4, 3)


def test_what_cells_weigh_is_shown_on_queries_and_results_alike(result: Result) -> None:
    asked: list[str] = []

    def heat(photo: Photo) -> torch.Tensor:
        asked.append(photo.path.name)
        return torch.tensor([[0.0, 2.0]])

    drawn = gallery(result, columns=4, side=108, queries=[0], heat=heat)
    assert asked == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    for column in (-1, 2):
        shown = cell(drawn, column, 0, 108)
        left, right = shown.getpixel((10, 54)), shown.getpixel((98, 54))
        assert left[2] - left[0] > 40 > 0 > right[2] - right[0]  # type: ignore[index]  # blue, then red
