"""Colours of patches against loops over their pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepret.models.backbone.colour import colour_statistics


def slow(image: np.ndarray, box: list[int]) -> list[float]:
    x0, y0, x1, y1 = box
    means, deviations = [], []
    for i in range(4):
        top, bottom = y0 + math.floor(i * (y1 - y0) / 4), y0 + math.ceil((i + 1) * (y1 - y0) / 4)
        for j in range(4):
            left, right = x0 + math.floor(j * (x1 - x0) / 4), x0 + math.ceil((j + 1) * (x1 - x0) / 4)
            for c in range(3):
                values = [float(image[y, x, c]) for y in range(top, bottom) for x in range(left, right)]
                means.append(sum(values) / len(values))
                deviations.append(math.sqrt(sum((v - means[-1]) ** 2 for v in values) / len(values)))
    return [v / 255 / math.sqrt(48) for v in means + deviations]


@given(st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 24))
def test_equals_loops(seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    x0, y0 = random.integers(0, width, 3), random.integers(0, height, 3)
    boxes = np.stack([x0, y0, random.integers(x0 + 1, width + 1), random.integers(y0 + 1, height + 1)], axis=1)
    found = colour_statistics(image, boxes)
    assert (found.shape, found.dtype) == ((3, 96), np.float32)
    np.testing.assert_allclose(found, [slow(image, box) for box in boxes.tolist()], atol=1e-6)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_an_even_patch_has_means_alone(value: int) -> None:
    found = colour_statistics(np.full((300, 500, 3), value, np.uint8), np.array([[3, 7, 490, 291]]))[0]
    assert np.allclose(found[:48], value / 255 / math.sqrt(48), atol=1e-7)
    assert not found[48:].any()
    assert np.linalg.norm(found) == pytest.approx(value / 255)


def test_rows_are_no_longer_than_one() -> None:
    image = 255 * np.random.default_rng(0).integers(0, 2, (64, 64, 3)).astype(np.uint8)
    found = colour_statistics(image, np.array([[0, 0, 64, 64], [5, 5, 6, 6]]))
    assert np.linalg.norm(found, axis=1).max() <= 1 + 1e-6


def test_no_box_gives_no_row() -> None:
    assert colour_statistics(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 4), np.int64)).shape == (0, 96)
