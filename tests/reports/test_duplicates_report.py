from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data.pictures import picture
from PIL import Image

from deepret.errors import UserError
from deepret.reports.command import called
from deepret.reports.duplicates import changes


def report(*words: str) -> Any:
    return called("deepret.reports.duplicates.duplicates", list(words), "root=photos")


def test_shares_and_pairs_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for seed in range(5):
        picture(seed).save(root / f"{seed}.png")
    picture(2).save(root / "again.jpg", quality=80)
    (root / "broken.jpg").write_bytes(b"no photograph")
    found = report(f"root={root}", "photographs=2", f"cache={tmp_path / 'cache'}", f"out={tmp_path / 'pairs.png'}")
    assert found["pairs"] == 15
    assert found["copies"] == 1
    assert set(found["recall"]) == set(changes())
    assert found["recall"]["JPEG of quality 60"] == 1
    with Image.open(tmp_path / "pairs.png") as drawn:
        assert drawn.width > 400
    said = capsys.readouterr().out
    assert "2.png" in said
    assert "again.jpg" in said


def test_changes_change_what_they_say() -> None:
    image = picture(0)
    made = {name: change(image) for name, (change, _) in changes().items()}
    assert made["size × 0.5"].size == (100, 75)
    assert made["2 % cut off each side"].size == (192, 144)
    assert made["brightness × 0.8"].getpixel((50, 50)) == tuple(round(0.8 * v) for v in image.getpixel((50, 50)))
    assert made["gamma 0.7"].getpixel((9, 9))[0] == round(255 * (image.getpixel((9, 9))[0] / 255) ** 0.7)
    assert made["mark in a corner"].getpixel((142, 138)) == (255, 255, 255)


def test_wants_photographs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        report(f"root={tmp_path / 'nowhere'}")
    with pytest.raises(UserError, match="0 photographs that can be compared"):
        report(f"root={tmp_path}", f"cache={tmp_path / 'cache'}")
