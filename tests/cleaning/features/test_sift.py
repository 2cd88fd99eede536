"""SIFT: the strongest first, no more than asked, the same again, and none where nothing is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from data.pictures import picture
from PIL import Image

from deepret.cleaning.features.sift import SIFT


def image(seed: int = 0, width: int = 300, height: int = 220) -> np.ndarray:
    return np.asarray(picture(seed, width, height).convert("L"))


def test_as_opencv_has_it_the_strongest_first() -> None:
    points, found = SIFT(count=20000).extract(image())
    keys, histograms = cv2.SIFT.create(contrastThreshold=0.02).detectAndCompute(image(), None)
    assert len(points) == len(found) == len(keys) > 50
    by_strength = sorted(range(len(keys)), key=lambda i: -keys[i].response)
    assert [keys[i].response for i in by_strength[:5]] == sorted((k.response for k in keys), reverse=True)[:5]
    assert {tuple(p) for p in points.tolist()} == {tuple(np.float32(k.pt).tolist()) for k in keys}
    assert points[0].tolist() == list(np.float32(keys[by_strength[0]].pt).tolist())
    assert sorted(map(bytes, found)) == sorted(map(bytes, np.clip(np.rint(histograms), 0, 255).astype(np.uint8)))


@pytest.mark.parametrize("count", [16, 40])
def test_no_more_than_asked_and_those_the_strongest(count: int) -> None:
    points, found = SIFT(count=count).extract(image())
    every, _ = SIFT(count=20000).extract(image())
    assert len(points) == len(found) == count
    assert {tuple(p) for p in points.tolist()} <= {tuple(p) for p in every[: count + 8].tolist()}


def test_fainter_blobs_on_demand() -> None:
    assert len(SIFT(contrast=0.01).extract(image())[0]) > len(SIFT(contrast=0.1).extract(image())[0])


def test_the_same_again() -> None:
    one, two = SIFT().extract(image()), SIFT().extract(image())
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


def test_nothing_in_a_flat_or_tiny_photograph(tmp_path: Path) -> None:
    for side in (1, 2, 60):
        Image.new("RGB", (side, side), "grey").save(tmp_path / "flat.png")
        found = SIFT()(tmp_path / "flat.png")
        assert (found.points.shape, found.descriptors.shape) == ((0, 2), (0, 128))
