"""Any loss over any region strategy: what learns beside a backbone whose maps are kept.

A file more in ``conf/loss`` or ``conf/regions`` is tried here with all of the other folder.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from deepret.config import compose, groups, resolve
from deepret.models.build import build_network
from deepret.models.network import Network
from deepret.models.types import Found
from deepret.parts import build
from deepret.training.mining.all import All

LOSSES, REGIONS = groups()["loss"], groups()["regions"]
LABELS = torch.arange(4).repeat_interleave(3)
SAME = LABELS[:, None] == LABELS
ITSELF = torch.eye(len(LABELS), dtype=torch.bool)
DIM = 8
SMALL = ("debug=fast", f"dim={DIM}", "seed=0")


@cache
def images() -> Tensor:
    """Three noisy pictures (12, 3, 96, 128) in 0…255 of each of four patterns."""
    random = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 256, (4, 3, 6, 8), generator=random).float()[LABELS]
    large = nn.functional.interpolate(patterns, scale_factor=16.0)
    noise: Tensor = large + 60 * torch.randn(large.shape, generator=random)
    return noise.clamp(0, 255)


@cache
def kept(regions: str) -> Found:
    """What a network with such regions finds in the images, for which its backbone need not look again."""
    network = build_network(config(regions)).eval()
    network.regions.train()  # then no boxes are kept on disk
    with torch.no_grad():
        return cast("Found", network.maps(images()))


@cache
def config(regions: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = resolve(compose("train", [f"regions={regions}", *SMALL, *words]))
    return found


def losses(loss: str, regions: str, steps: int) -> tuple[list[float], Network]:
    """The loss before each step and after the last one, and the network that has learned."""
    network = build_network(config(regions), weights=False).train()
    with torch.no_grad():
        if hasattr(network.regions, "is_trained"):  # random proposals serve here
            network.regions.is_trained.fill_(True)  # type: ignore[operator, union-attr]
        network.projection.fit(network.pooled(kept(regions)).vectors)  # type: ignore[operator]
    learns: nn.Module = build(config("grid", f"loss={loss}")["loss"], class_ids=LABELS.unique(), code_length=DIM)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in network.parameters() if p.requires_grad], "lr": 0.003},
            {"params": [*learns.parameters()], "lr": 0.03},
        ]
    )
    found = []
    for step in range(steps + 1):
        codes = network.codes(kept(regions)).vectors
        rows, *masks = All().select(codes, codes, SAME & ~ITSELF, ~SAME)
        value = learns(codes[rows], codes, *masks, LABELS[rows])
        found.append(float(value.detach()))
        if step < steps:
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return found, network


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_two_steps_are_finite(loss: str, regions: str) -> None:
    found, network = losses(loss, regions, 2)
    assert all(math.isfinite(value) for value in found)
    assert found[0] > 0
    assert len({*found}) == 3  # something learns
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("loss", "regions"), sorted({*(("triplet", r) for r in REGIONS), *((name, "grid") for name in LOSSES)})
)
def test_fifty_steps_bring_the_loss_down(loss: str, regions: str) -> None:
    found, _ = losses(loss, regions, 50)
    assert sum(found[-5:]) / 5 < 0.9 * found[0]
