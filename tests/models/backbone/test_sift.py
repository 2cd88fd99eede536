"""SIFT at key points and over patches: places by hand, histograms as OpenCV gives them one by one."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from data.pictures import picture
from hypothesis import given
from hypothesis import strategies as st

from deepret.models.backbone.sift import around, described, hellinger, patches, strongest

GREY = np.asarray(picture(0, 160, 120).convert("L"))


def test_the_strongest_come_first_each_with_its_own_histogram() -> None:
    points, histograms = strongest(GREY, 50, 0.02)
    every, all_histograms = cv2.SIFT.create(contrastThreshold=0.02).detectAndCompute(GREY, None)
    own = {(p.pt, p.size, p.angle): (p.response, h.tolist()) for p, h in zip(every, all_histograms, strict=True)}
    assert len(points) == len(histograms) == 50
    assert [p.response for p in points] == sorted((r for r, _ in own.values()), reverse=True)[:50]
    for point, histogram in zip(points, histograms, strict=True):
        assert own[(point.pt, point.size, point.angle)] == (point.response, histogram.tolist())


@pytest.mark.parametrize("side", [1, 2, 16, 60])
def test_a_flat_image_has_none(side: int) -> None:
    points, histograms = strongest(np.full((side, side), 90, np.uint8), 50, 0.02)
    assert points == []
    assert histograms.shape == (0, 128)
    assert around(points).shape == (0, 4)


def test_a_patch_is_three_sizes_to_each_side_of_its_point() -> None:
    points = [cv2.KeyPoint(20.0, 9.5, 4.0), cv2.KeyPoint(1.25, 1.0, 2.0)]
    assert around(points).tolist() == [[8, -2, 33, 22], [-5, -5, 8, 8]]  # 20.5 ± 12, 10 ± 12, 1.75 ± 6, 1.5 ± 6


def test_patches_by_hand() -> None:
    found = patches(29, 40, 8, [16, 32])
    rows, columns = (2, 10), (0, 8, 16, 24)  # 29 − 16 = 13 leaves 5 beside one step of 8: 2 before
    wanted = [[x, y, x + 16, y + 16] for y in rows for x in columns]
    wanted += [[x, -2, x + 32, 30] for x in (0, 8)]  # 29 is shorter than 32
    assert found.tolist() == wanted
    assert found.dtype == np.int64


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 20), st.integers(8, 40))
def test_patches_lie_inside_and_in_the_middle(height: int, width: int, step: int, size: int) -> None:
    found = patches(height, width, step, [size])
    for side, low, high in ((width, 0, 2), (height, 1, 3)):
        starts = sorted(set(found[:, low].tolist()))
        assert (found[:, high] - found[:, low] == size).all()
        assert all(b - a == step for a, b in pairwise(starts))
        before, after = starts[0], side - (starts[-1] + size)
        assert after - before in (0, 1)
        assert before + after < step if side >= size else len(starts) == 1
    assert len(found) == len({tuple(box) for box in found.tolist()})


@pytest.mark.parametrize(
    ("size", "octave", "layer"), [(8, 0, 0), (16, 0, 0), (24, 0, 1), (32, 0, 2), (48, 1, 1), (64, 1, 2), (77, 2, 0)]
)
def test_a_patch_is_described_as_the_key_point_of_its_size(size: int, octave: int, layer: int) -> None:
    boxes = patches(120, 160, 24, [size])
    found = described(GREY, boxes)
    assert found.shape == (len(boxes), 128)
    for (x0, y0, _, _), histogram in zip(boxes.tolist(), found, strict=True):
        middle = x0 + size / 2 - 0.5, y0 + size / 2 - 0.5
        point = cv2.KeyPoint(*middle, size / 6, 0.0, 0.0, octave + 256 * layer)
        assert cv2.SIFT.create().compute(GREY, [point])[1][0].tolist() == histogram.tolist()


def test_an_upright_key_point_and_the_patch_of_its_size_look_alike() -> None:
    """The layer of the pyramid is the one that OpenCV has found it in: in the first their median is 0.975."""
    grey = np.asarray(picture(0, 400, 300).convert("L"))
    alike = []
    for point, histogram in zip(*strongest(grey, 2000, 0.01), strict=True):
        turned = min(point.angle % 360, -point.angle % 360)
        x, y, size = round(point.pt[0] + 0.5), round(point.pt[1] + 0.5), 2 * round(3 * point.size)
        if turned < 8 and size >= 24:
            own = described(grey, np.array([[x - size // 2, y - size // 2, x + size // 2, y + size // 2]]))
            alike.append((hellinger(own) @ hellinger(histogram[None]).T).item())
    assert len(alike) >= 5
    assert np.median(alike) > 0.985


def test_a_patch_without_a_gradient_has_an_empty_histogram() -> None:
    half = GREY.copy()
    half[:, :80] = 128
    boxes = patches(120, 160, 16, [24])
    empty = ~described(half, boxes).any(axis=1)
    assert empty[boxes[:, 2] < 70].all()
    assert not empty[boxes[:, 2] > 90].any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (8, 90)])
def test_an_image_smaller_than_its_patches_has_one_of_each(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    boxes = patches(*shape, 100, [24, 300, 3000])
    assert described(image, boxes).shape == (3, 128)


def test_products_are_the_hellinger_kernel() -> None:
    _, histograms = strongest(GREY, 9, 0.02)
    found = hellinger(histograms)
    shares = [[float(entry) / float(sum(row)) for entry in row] for row in histograms.tolist()]
    for i in range(9):
        for j in range(9):
            kernel = sum((a * b) ** 0.5 for a, b in zip(shares[i], shares[j], strict=True))
            assert abs(float(found[i] @ found[j]) - kernel) < 1e-5
    assert hellinger(np.zeros((1, 128), np.float32)).tolist() == [[0.0] * 128]
