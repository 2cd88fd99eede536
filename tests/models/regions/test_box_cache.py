from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from deepret.models.regions.box_cache import BoxCache

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
BOXES = np.array([[0, 0, 1, 1], [0, 0, 0.5, 1]], dtype=np.float32)


def test_a_key_is_of_pixels_their_shape_and_how_they_are_searched() -> None:
    cache = BoxCache(Path("nowhere"))
    other = PIXELS.copy()
    other[0, 0, 0] += 1
    keys = [
        cache.key(PIXELS, "a"),
        cache.key(other, "a"),
        cache.key(PIXELS, "b"),
        cache.key(PIXELS.reshape(4, 2, 3), "a"),
    ]
    assert len({*keys}) == 4
    assert cache.key(PIXELS.copy(order="F"), "a") == keys[0]


def test_what_is_written_is_read_and_what_is_damaged_is_absent(tmp_path: Path) -> None:
    cache = BoxCache(tmp_path / "boxes")
    key = cache.key(PIXELS, "a")
    assert cache.read(key) is None
    cache.write(key, BOXES)
    assert np.array_equal(cache.read(key), BOXES)
    file = next(tmp_path.rglob("*.npy"))
    whole = file.read_bytes()
    for wrong in (b"", whole[:40], whole[:-3], b"no such file"):
        file.write_bytes(wrong)
        assert cache.read(key) is None
    np.save(file, BOXES.astype(np.float64))
    assert cache.read(key) is None


def test_a_folder_that_takes_nothing_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = BoxCache(tmp_path / "file" / "boxes")
    with pytest.warns(UserWarning, match="boxes are not kept: .* The work goes on"):
        cache.write("abcd", BOXES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.write("abcd", BOXES)
    assert cache.read("abcd") is None
