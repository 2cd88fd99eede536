"""The whole map as a region."""

from __future__ import annotations

import torch

from deepret.models.regions.whole import Whole


def test_whole_is_one_box_an_image() -> None:
    regions = Whole()(torch.zeros(3, 5, 8, 6))
    assert regions.boxes.tolist() == [[0, 0, 6, 8]] * 3
    assert regions.image.tolist() == [0, 1, 2]
    assert regions.boxes.dtype == regions.image.dtype == torch.int64
