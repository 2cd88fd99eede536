"""Uniform weights."""

from __future__ import annotations

import torch

from deepret.models.regions.grid import Grid
from deepret.models.weighting.uniform import Uniform


def test_every_region_weighs_one() -> None:
    maps = torch.rand(2, 3, 4, 4)
    regions = Grid()(maps)
    assert Uniform()(maps, regions).tolist() == [1.0] * len(regions.boxes)
