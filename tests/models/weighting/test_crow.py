"""CroW's weights, one cell and one channel at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from deepret.config import compose
from deepret.errors import UserError
from deepret.models.aggregation.sum import Sum
from deepret.models.aggregation.vlad import VLAD
from deepret.models.build import build_network
from deepret.models.pooling.mean import Mean
from deepret.models.projection.none import NoProjection
from deepret.models.projection.pca import PCA
from deepret.models.regions.cells import Cells
from deepret.models.regions.grid import Grid
from deepret.models.weighting.crow import CroW
from deepret.programs.shared import prepare


def slow_crow(one: np.ndarray) -> np.ndarray:
    """Weights (H · W, C) of one map (C, H, W)."""
    channels, height, width = one.shape
    spatial = one.sum(0)
    spatial = np.sqrt(spatial / np.sqrt((spatial**2).sum())) if spatial.any() else spatial
    shares = [np.count_nonzero(one[c] > 0) / (height * width) for c in range(channels)]
    found = np.zeros((height * width, channels))
    for c, share in enumerate(shares):
        rarity = math.log(sum(shares) / share) if share > 0 else 0.0
        for y in range(height):
            for x in range(width):
                found[y * width + x, c] = spatial[y, x] * rarity
    return found


def test_equals_one_cell_at_a_time() -> None:
    torch.manual_seed(0)
    maps = (torch.randn(3, 6, 5, 4) - 0.5).relu()
    maps[0, 2] = 0  # a channel that nothing responds in
    maps[1, :, 2, 3] = 0  # a cell that nothing responds at
    regions = Cells()(maps)
    found = CroW()(maps, regions.with_vectors(Mean()(maps, regions)))
    wanted = torch.from_numpy(np.concatenate([slow_crow(one) for one in maps.double().numpy()])).float()
    assert torch.allclose(found, wanted, atol=2e-6)
    assert wanted.max() > 0.5
    maps.requires_grad_()
    CroW()(maps, regions.with_vectors(Mean()(maps, regions))).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_maps_without_a_response_weigh_nothing_and_have_a_gradient() -> None:
    maps = torch.zeros(2, 4, 3, 3, requires_grad=True)
    regions = Cells()(maps)
    found = CroW()(maps, regions.with_vectors(Mean()(maps, regions)))
    found.sum().backward()
    assert (found == 0).all()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((Grid(), NoProjection(4, False), Sum()), "take regions=cells"),
        ((Cells(), NoProjection(4, False), VLAD(4, 2)), "aggregation=sum"),
        ((Cells(), NoProjection(4), Sum()), "projection.normalise=false"),
        ((Cells(), PCA(4, 4), Sum()), "take projection=none"),
    ],
)
def test_says_what_does_not_go_with_it(parts: tuple[nn.Module, nn.Module, nn.Module], message: str) -> None:
    CroW().check(Cells(), NoProjection(4, False), Sum())
    with pytest.raises(UserError, match=message):
        CroW().check(*parts)


@pytest.mark.slow
def test_a_network_of_it_is_checked_before_anything_is_fitted() -> None:
    for words in (["experiment=vlad", "weighting=crow"], ["experiment=spoc", "weighting=crow", "regions=grid"]):
        with pytest.raises(UserError, match="weighting=crow: it weighs"):
            build_network(prepare(compose("eval", words), "eval"))
