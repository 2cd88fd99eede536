"""Regional attention, one region and one number at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from models.pooling.drawn import OUTSIDE, maps_and_boxes, on_first
from networks import simplest
from torch import Tensor, nn

from deepret.config import compose
from deepret.errors import UserError
from deepret.models.build import build_network, load_state
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.pca import PCA
from deepret.models.regions.cells import Cells
from deepret.models.regions.grid import Grid
from deepret.models.types import Regions
from deepret.models.weighting.attention import Attention
from deepret.models.weighting.uniform import Uniform
from deepret.programs.shared import prepare


def attention(channels: int, hidden: int = 5, seed: int = 0) -> Attention:
    """An attention whose weights are all far from where they start."""
    made = Attention(channels, hidden).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return made


def slow_attention(made: Attention, maps: Tensor, regions: Regions) -> Tensor:
    """Weights (N,), each sum a loop over cells, channels or rows."""

    def softplus(x: Tensor) -> Tensor:
        return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))

    _, channels, height, width = maps.shape
    matrix, shift = made.hidden.weight, made.hidden.bias
    found = []
    for (x0, y0, x1, y1), image in zip(regions.boxes.tolist(), regions.image.tolist(), strict=True):
        seen = []
        for left, top, right, bottom in ((x0, y0, x1, y1), (0, 0, width, height)):
            for c in range(channels):
                cells = [maps[image, c, y, x] for y in range(top, bottom) for x in range(left, right)]
                seen.append(sum(cells) / len(cells))
        rows = [
            softplus(sum(m * s for m, s in zip(row, seen, strict=True)) + b)
            for row, b in zip(matrix, shift, strict=True)
        ]
        total = sum(v * row for v, row in zip(made.weight.weight[0], rows, strict=True)) + made.weight.bias[0]
        found.append(softplus(total))
    return torch.stack(found) if found else maps.new_zeros(0)


def gradients(made: Attention, maps: Tensor, weights: Tensor) -> list[Tensor]:
    upper = torch.linspace(-1, 1, len(weights), dtype=weights.dtype)
    return list(torch.autograd.grad((weights * upper).sum(), [maps, *made.parameters()]))


@pytest.mark.parametrize("kind", [Grid(2), Grid(3, whole=False), Cells()])
def test_weights_and_gradients_equal_one_region_at_a_time(kind: nn.Module) -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    made, regions = attention(3), kind(maps)
    found, wanted = made(maps, regions), slow_attention(made, maps, regions)
    assert found.dtype == torch.float64
    assert found.detach().std() > 0.1
    assert torch.allclose(found, wanted, atol=1e-6)
    for fast, slow in zip(gradients(made, maps, found), gradients(made, maps, wanted), strict=True):
        assert torch.allclose(fast, slow, atol=1e-6)


@given(maps_and_boxes())
def test_any_boxes_weigh_as_one_at_a_time_in_any_order(case: tuple[Tensor, Regions]) -> None:
    maps, regions = case
    made = attention(3)
    found = made(maps.double(), regions)
    assert found.shape == (len(regions.boxes),)
    assert (found >= 0).all()
    alone = [
        made(maps[i : i + 1].double(), Regions(box[None], torch.tensor([0])))
        for box, i in zip(regions.boxes, regions.image.tolist(), strict=True)
    ]
    assert torch.allclose(found, torch.cat([found[:0], *alone]), atol=1e-9)
    mixed = torch.arange(len(found)).flip(0)
    mixed = mixed[
        regions.image[mixed].argsort(stable=True)
    ]  # images ascending, the regions of each the other way round
    other = made(maps.double(), Regions(regions.boxes[mixed], regions.image[mixed]))
    assert torch.allclose(other, found[mixed], atol=1e-9)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_is_float32_under_autocast(kind: torch.dtype) -> None:
    maps = torch.rand(2, 6, 5, 7, generator=torch.Generator().manual_seed(2)).to(kind)
    made, regions = attention(6).float(), Grid()(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made(maps, regions)
    assert found.dtype == torch.float32
    assert torch.allclose(found, made.double()(maps.double(), regions).float(), rtol=1e-5)


@pytest.mark.parametrize("box", OUTSIDE)
def test_refuses_boxes_that_are_none(box: list[int]) -> None:
    with pytest.raises(ValueError, match="5 × 6 cells"):
        Attention(2)(torch.rand(1, 2, 5, 6), on_first(box))


class Tiny(nn.Module):
    """A backbone of one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.stride = 6, 8
        self.mean, self.std = [0.5] * 3, [0.25] * 3
        self.conv = nn.Conv2d(3, 6, 8, 8)

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.conv(images))


def network(weighting: nn.Module, **settings: Any) -> Network:
    """R-MAC with a weighting."""
    torch.manual_seed(3)
    made = simplest(Tiny(), size=96, **settings)
    made.regions, made.pooling, made.projection = Grid(), Max(), PCA(channels=6, dim=4)
    made.projection.fit(made.pooled(made.maps(pictures(8))).vectors)
    made.weighting = weighting
    return made.eval()


def pictures(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randint(0, 256, (count, 3, 96, 64), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("settings", [{}, {"scales": [1.0, 0.5], "flip": True}])
def test_untrained_it_changes_no_code(settings: dict[str, Any]) -> None:
    images = pictures(3)
    plain, weighed = (network(w, **settings) for w in (Uniform(), Attention(6)))
    assert torch.allclose(weighed(images).vectors, plain(images).vectors, atol=1e-6)
    maps = weighed.maps(images)
    weights = weighed.weighting(maps, weighed.regions(maps))
    assert torch.allclose(weights, torch.ones_like(weights), atol=1e-6)  # the length of codes stays, too


def test_trained_it_weighs_each_view_by_its_own_maps() -> None:
    net = network(attention(6).float(), scales=[1.0, 0.5], flip=True)
    images, total = pictures(2), torch.zeros(2, 4)
    for view in net.input.views:
        maps = net.look(images, view)
        regions = net.projected(maps)
        weighed = regions.vectors * net.weighting(maps, regions)[:, None]  # type: ignore[operator]
        codes = torch.stack([weighed[regions.image == i].sum(0) for i in range(2)])
        total += nn.functional.normalize(codes, dim=1)
    assert torch.allclose(net(images).vectors, nn.functional.normalize(total, dim=1), atol=1e-5)


def test_a_first_step_moves_it() -> None:
    net = network(Attention(6)).train()
    (net(pictures(4)).vectors[:, 0].sum()).backward()
    gradient = net.weighting.weight.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_starts_from_the_runs_seed_alone() -> None:
    def weights(*words: str) -> Tensor:
        config = prepare(compose("train", ["weighting=attention", "trainer=cpu", *words]))
        return build_network(config, weights=False).weighting.hidden.weight.detach()

    torch.manual_seed(5)
    first = weights()
    torch.manual_seed(6)
    assert torch.equal(weights(), first)
    assert not torch.equal(weights("seed=1"), first)


def test_weights_of_another_backbone_and_broken_ones_are_refused() -> None:
    own, other = network(Attention(6)), network(Attention(7))
    with pytest.raises(UserError, match=r"x.ckpt: .*weighting.hidden.weight is \(64, 14\) there and \(64, 12\) here"):
        load_state(own, other.state_dict(), "x.ckpt")
    state = own.state_dict()
    state["weighting.weight.bias"] = torch.tensor([math.nan])
    with pytest.raises(UserError, match=r"x.ckpt: weighting.weight.bias holds values that are no numbers.*diverged"):
        load_state(own, state, "x.ckpt")
    with pytest.raises(UserError, match=r"it lacks weighting.hidden.weight .* weighting"):
        load_state(own, network(Uniform()).state_dict(), "x.ckpt")
