"""Whole descriptors, as their experiments compose them, against their formulas in plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from deepret.config import compose
from deepret.models.build import build_network
from deepret.models.network import Network
from deepret.programs.shared import prepare

pytestmark = pytest.mark.slow

Map = np.ndarray
"""(C, H, W) in float64."""


def composed(experiment: str, *words: str) -> Network:
    """The network of an experiment, with the packaged backbone."""
    config = prepare(compose("eval", [f"experiment={experiment}", *words]), "eval")
    return build_network(config).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Squares, bars and noise, so that maps differ from place to place."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (3, 3, 128, 160), generator=generator, dtype=torch.uint8)
    images[0, :, 20:90, 30:70] = 240
    images[1, 0, :, ::16] = 0
    images[2, :, 64:] = images[2, :, :64].flip(1)
    return images


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def mac(x: Map) -> np.ndarray:
    return np.array([max(row.tolist()) for row in x.reshape(len(x), -1)])


def gem(x: Map) -> np.ndarray:
    found = []
    for row in x.reshape(len(x), -1).tolist():
        found.append((sum(max(value, 1e-6) ** 3 for value in row) / len(row)) ** (1 / 3))
    return np.array(found)


def spoc(x: Map, prior: bool = False) -> np.ndarray:
    channels, height, width = x.shape
    sigma = min(height, width) / 2 / 3
    total = np.zeros(channels)
    for row in range(height):
        for column in range(width):
            squares = (row + 0.5 - height / 2) ** 2 + (column + 0.5 - width / 2) ** 2
            total += x[:, row, column] * (math.exp(-squares / (2 * sigma**2)) if prior else 1.0)
    return total


def spoc_centre(x: Map) -> np.ndarray:
    return spoc(x, prior=True)


def crow(x: Map) -> np.ndarray:
    places = x.sum(0)
    places = np.sqrt(places / np.linalg.norm(places))
    shares = np.array([np.count_nonzero(channel > 0) / channel.size for channel in x])
    rarity = np.array([math.log(shares.sum() / share) if share > 0 else 0.0 for share in shares])
    return rarity * np.array([(places * channel).sum() for channel in x])


@pytest.mark.parametrize(("experiment", "slow"), [("spoc", spoc), ("spoc_centre", spoc_centre), ("crow", crow)])
@torch.no_grad()
def test_equals_its_formula_before_the_head(experiment: str, slow: Callable[[Map], np.ndarray], images: Tensor) -> None:
    network = composed(experiment)
    maps = network.maps(images)
    found = network.aggregated(maps).vectors.double().numpy()
    wanted = [slow(x) for x in maps.double().numpy()]
    for own, other in zip(found, wanted, strict=True):
        assert np.abs(unit(own) - unit(other)).max() <= 1e-5
    assert unit(wanted[0]) @ unit(wanted[1]) < 0.99  # codes differ, so that a mistake would show


def flattened(x: Map) -> np.ndarray:
    """Channel by channel, the maxima of 6 × 6 parts, part by part."""
    _, height, width = x.shape
    found = []
    for channel in x:
        for i in range(6):
            for j in range(6):
                y0, y1 = math.floor(i * height / 6), math.ceil((i + 1) * height / 6)
                x0, x1 = math.floor(j * width / 6), math.ceil((j + 1) * width / 6)
                found.append(channel[y0:y1, x0:x1].max())
    return np.array(found)


@pytest.mark.parametrize(
    ("experiment", "slow", "length"),
    [("mac", mac, 1280), ("gem", gem, 1280), ("neural_codes_l5", flattened, 11_520), ("neural_codes_l6", mac, 1280)],
)
@torch.no_grad()
def test_codes_equal_their_formula_where_nothing_is_fitted(
    experiment: str, slow: Callable[[Map], np.ndarray], length: int, images: Tensor
) -> None:
    network = composed(experiment)
    codes = network(images).vectors.double().numpy()
    for own, x in zip(codes, network.maps(images).double().numpy(), strict=True):
        assert own.shape == (length,)
        assert np.abs(own - unit(slow(x))).max() <= 1e-5


def squares(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """R-MAC's regions y0, y1, x0, x1 at three scales and the whole map, by the formula."""
    short, long = min(height, width), max(height, width)
    m = 1
    if short != long:
        m = min(range(2, 8), key=lambda m: abs((short**2 - short * (long - short) / (m - 1)) / short**2 - 0.4))
    found = []
    for level in (1, 2, 3):
        side = 2 * short // (level + 1)
        down, across = (level, level + m - 1) if width >= height else (level + m - 1, level)
        for i in range(down if side else 0):
            for j in range(across):
                y = i * (height - side) // (down - 1) if down > 1 else 0
                x = j * (width - side) // (across - 1) if across > 1 else 0
                found.append((y, y + side, x, x + side))
    return [*found, (0, height, 0, width)]


def power_sum(region: Map) -> np.ndarray:
    return (region**10).sum((1, 2)) ** 0.1


@pytest.mark.parametrize(
    ("experiment", "slow", "error"), [("rmac", mac, 1e-5), ("rmac_integral", power_sum, 5e-3)], ids=["max", "integral"]
)
@torch.no_grad()
def test_rmac_equals_its_formula(
    experiment: str, slow: Callable[[Map], np.ndarray], error: float, images: Tensor
) -> None:
    """With the mean and the rows that the PCA found, which has a test of its own; rounding takes a little of tables."""
    network = composed(experiment, "dim=8")
    maps = network.maps(images)
    network.projection.fit(network.pooled(maps).vectors)  # type: ignore[operator]
    mean, rows = (network.projection.state_dict()[name].double().numpy() for name in ("mean", "rows"))
    wanted = []
    for x in maps.double().numpy():
        regions = [unit(slow(x[:, a:b, c:d])) for a, b, c, d in squares(*x.shape[1:])]
        wanted.append(unit(np.sum([unit(rows @ (region - mean)) for region in regions], axis=0)))
    codes = network(images).vectors.double().numpy()
    assert np.abs(codes - np.array(wanted)).max() <= error
    assert abs(wanted[0] @ wanted[1]) < 0.99
