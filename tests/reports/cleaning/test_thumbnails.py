from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from PIL import Image

from deepret.reports.cleaning.thumbnails import address, thumbnail


@pytest.mark.parametrize(
    ("size", "shown"), [((800, 400), (160, 80)), ((300, 900), (53, 160)), ((40, 20), (40, 20)), ((2000, 2), (160, 1))]
)
def test_the_longer_side_has_160_pixels_at_the_most(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.jpg")
    assert thumbnail(tmp_path / "a.jpg", size).size == shown


@pytest.mark.parametrize(("size", "shown"), [((800, 400), (160, 80)), ((0, 0), (160, 120)), ((1, 9999), (1, 160))])
def test_a_file_that_is_gone_is_a_tile_of_its_shape(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert thumbnail(tmp_path / "none.jpg", size).size == shown


def test_addresses_are_relative_below_the_page_and_absolute_elsewhere(tmp_path: Path) -> None:
    assert address(tmp_path / "out/photos/a b%#.jpg", tmp_path / "out") == "photos/a%20b%25%23.jpg"
    assert address(tmp_path / "out/x:y.jpg", tmp_path / "out") == "x%3Ay.jpg"
    assert address(tmp_path / "é?.jpg", tmp_path / "out") == (tmp_path / "%C3%A9%3F.jpg").as_posix().join(
        ["file://", ""]
    )


def test_members_of_a_tar_have_no_address(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "a.png")
    assert address(tmp_path / "x.tar/a.png", tmp_path) is None
    assert thumbnail(tmp_path / "x.tar/a.png", (30, 20)).getpixel((3, 3)) == (255, 0, 0)
