"""Regional GeM against windows cut out one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepret.models.pooling.gem import GeM
from deepret.models.pooling.regional_gem import RegionalGeM, regional
from deepret.models.regions.grid import Grid


def slow_regional(maps: torch.Tensor) -> torch.Tensor:
    """numpy's own padding, and a loop over the windows."""
    found = maps.numpy().copy()
    mode = "reflect" if min(maps.shape[2:]) >= 3 else "edge"
    padded = np.pad(np.maximum(maps.numpy(), 1e-6), ((0, 0), (0, 0), (2, 2), (2, 2)), mode=mode)
    for y in range(maps.shape[2]):
        for x in range(maps.shape[3]):
            window = padded[:, :, y : y + 5, x : x + 5]
            found[:, :, y, x] = 0.5 * (window**2.5).mean((2, 3)) ** (1 / 2.5) + 0.5 * maps.numpy()[:, :, y, x]
    return torch.from_numpy(found)


@pytest.mark.parametrize(("height", "width"), [(7, 9), (3, 3), (3, 12), (2, 6), (1, 1)])
def test_equals_windows_one_by_one(height: int, width: int) -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 3, height, width, dtype=torch.float64)
    assert torch.allclose(regional(maps), slow_regional(maps), rtol=0, atol=1e-12)
    maps = maps.float().relu()
    wanted = GeM(3)(slow_regional(maps), Grid()(maps))
    assert torch.allclose(RegionalGeM(3)(maps, Grid()(maps)), wanted.float(), atol=1e-5)


def test_gradient_is_a_number_where_nothing_responds() -> None:
    maps = torch.zeros(1, 2, 5, 5, requires_grad=True)
    RegionalGeM(2)(maps, Grid()(maps)).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
