"""Photographs are brought to one size for features, and the scale leads back to their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from deepret.cleaning.features.base import Extractor


class Brightest(Extractor):
    """The middle of what is white."""

    def extract(self, image: Any) -> tuple[Any, Any]:
        self.seen = image
        rows, columns = np.nonzero(image > 128)
        return np.array([[columns.mean() + 0.5, rows.mean() + 0.5]]), np.zeros((1, 4))


def spot(path: Path, width: int, height: int, turn: int = 1) -> Path:
    """A white square around (3/4 width, 1/2 height) on black."""
    image = Image.new("RGB", (width, height))
    x, y, r = 0.75 * width, 0.5 * height, 0.05 * max(width, height)
    ImageDraw.Draw(image).rectangle((x - r, y - r, x + r, y + r), "white")
    exif = Image.Exif()
    exif[0x0112] = turn
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("ending", ["png", "jpg"])  # of JPEG a smaller image is decoded
@pytest.mark.parametrize(("width", "height"), [(1900, 1000), (1000, 1900), (700, 500), (320, 200), (100, 60), (90, 90)])
def test_points_are_pixels_of_the_photograph_after_scaling(
    tmp_path: Path, ending: str, width: int, height: int
) -> None:
    extractor = Brightest(size=320)
    found = extractor(spot(tmp_path / f"a.{ending}", width, height))
    assert found.scale == min(320 / max(width, height), 2)
    assert max(extractor.seen.shape) == round(max(width, height) * found.scale)
    expected = np.array([0.75 * width, 0.5 * height])
    np.testing.assert_allclose(found.points[0] / found.scale, expected, atol=2 / found.scale)


def test_a_turned_photograph_is_upright(tmp_path: Path) -> None:
    extractor = Brightest(size=200)
    found = extractor(spot(tmp_path / "a.jpg", 800, 400, turn=6))  # a quarter turn clockwise
    assert extractor.seen.shape == (200, 100)
    np.testing.assert_allclose(found.points[0] / found.scale, [200, 600], atol=8)


def test_types(tmp_path: Path) -> None:
    found = Brightest(size=64)(spot(tmp_path / "a.png", 100, 50))
    assert (found.points.dtype, found.descriptors.dtype, len(found)) == (np.float32, np.uint8, 1)
