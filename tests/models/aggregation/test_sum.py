"""The weighted sum of region vectors."""

from __future__ import annotations

import pytest
import torch

from deepret.models.aggregation.sum import Sum
from deepret.models.types import Regions


@pytest.mark.parametrize("shape", [(5,), (5, 4)], ids=["a weight a region", "one for each of its dimensions"])
def test_equals_a_plain_loop(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    image = torch.tensor([0, 0, 0, 2, 2])  # image 1 has no regions
    vectors, weights = torch.randn(5, 4), torch.rand(shape)
    codes = Sum()(Regions(torch.zeros(5, 4, dtype=torch.int64), image, vectors), weights, 3)
    for b in range(3):
        total = torch.zeros(4)
        for r in range(5):
            if image[r] == b:
                total += weights[r] * vectors[r]
        assert torch.allclose(codes.vectors[b], total, atol=1e-6)
    assert codes.image.tolist() == [0, 1, 2]
