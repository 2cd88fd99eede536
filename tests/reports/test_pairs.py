from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from deepret.data.duplicates.leaks import Copies
from deepret.reports.gallery import QUERY, WRONG
from deepret.reports.pairs import by_kind, pairs_table, side_by_side, write_pairs


def pair(folder: Path, one: str, two: str, of: tuple[str, str], similarity: float = 1.0) -> Copies:
    for name in (one, two):
        Image.new("RGB", (60, 40), "grey").save(folder / name)
    return Copies((folder / one, folder / two), (one, two), of, similarity)


def some(folder: Path) -> list[Copies]:
    leaks = [pair(folder, f"t{i}.png", f"s{i}.png", ("train", "test"), 1 - i / 100) for i in range(3)]
    return [*leaks, pair(folder, "v.png", "w.png", ("val", "val"))]


def test_kinds_are_told_and_the_first_are_named(tmp_path: Path) -> None:
    pairs = some(tmp_path)
    assert {kind: len(found) for kind, found in by_kind(pairs).items()} == {"train and test": 3, "val": 1}
    text = pairs_table(pairs, 2)
    assert "train and test          3  leak" in text
    assert "  0.990  t1.png = s1.png\n  and 1 more" in text
    assert "t2.png" not in text
    assert text.endswith("val:\n  1.000  v.png = w.png")


def test_pairs_stand_side_by_side_leaks_in_red(tmp_path: Path) -> None:
    pairs = some(tmp_path)
    (tmp_path / "s1.png").unlink()  # gone meanwhile
    sheet = side_by_side(pairs, side=100)
    colours = {colour for _, colour in sheet.getcolors(1 << 20)}
    rgb = [tuple(bytes.fromhex(colour[1:])) for colour in (WRONG, QUERY)]
    assert colours.issuperset(rgb)
    first_row = sheet.crop((0, 0, sheet.width, 100))
    assert rgb[1] not in {colour for _, colour in first_row.getcolors(1 << 20)}
    assert sheet.width == 3 * (2 * 100 + 3 * 8)


def test_all_pairs_are_written(tmp_path: Path) -> None:
    write_pairs(some(tmp_path), tmp_path / "pairs.csv")
    with (tmp_path / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[1] == {
        "first": str(tmp_path / "t1.png"),
        "second": str(tmp_path / "s1.png"),
        "first_is_of": "train",
        "second_is_of": "test",
        "similarity": "0.990",
        "leak": "yes",
    }
    assert rows[3]["leak"] == "no"
