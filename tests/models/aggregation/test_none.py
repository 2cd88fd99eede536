from __future__ import annotations

import pytest
import torch

from deepret.models.aggregation.none import NoAggregation
from deepret.models.head.l2 import L2
from deepret.models.types import Regions


@pytest.mark.parametrize("shape", [(5,), (5, 4)], ids=["a weight a region", "one for each of its dimensions"])
def test_each_region_keeps_a_code_of_its_own(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    image = torch.tensor([0, 0, 0, 2, 2])  # image 1 has no regions
    vectors, weights = torch.randn(5, 4), torch.rand(shape)
    codes = NoAggregation()(Regions(torch.zeros(5, 4, dtype=torch.int64), image, vectors), weights, 3)
    for r in range(5):
        assert torch.allclose(codes.vectors[r], vectors[r] * weights[r])
    assert codes.image.tolist() == image.tolist()
    assert torch.allclose(L2()(codes).vectors.norm(dim=1), torch.ones(5))
