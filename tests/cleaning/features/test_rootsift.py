"""RootSIFT: products of its descriptors are the Hellinger kernel of SIFT's."""

from __future__ import annotations

import numpy as np
from data.pictures import picture

from deepret.cleaning.features.rootsift import RootSIFT
from deepret.cleaning.features.sift import SIFT


def test_products_are_the_hellinger_kernel() -> None:
    image = np.asarray(picture(0, 300, 220).convert("L"))
    points, plain = SIFT().extract(image)
    same, found = RootSIFT().extract(image)
    np.testing.assert_array_equal(points, same)
    shares = plain / plain.sum(axis=1, keepdims=True).astype(float)
    unit = found / np.linalg.norm(found.astype(float), axis=1, keepdims=True)
    for i in range(0, len(found), 17):
        for j in range(0, len(found), 23):
            kernel = sum(np.sqrt(a * b) for a, b in zip(shares[i], shares[j], strict=True))
            assert abs(unit[i] @ unit[j] - kernel) < 0.01


def test_an_empty_histogram_and_a_single_bin_stay_within_a_byte() -> None:
    histograms = np.zeros((2, 128), np.float32)
    histograms[1, 5] = 512
    found = RootSIFT().bytes_of(histograms)
    assert found.dtype == np.uint8
    assert found[0].max() == 0
    assert (found[1].argmax(), found[1].max(), found[1].sum()) == (5, 255, 255)
