"""The composition: R-MAC step by step, one image or many, one scale or several."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.aggregation.none import NoAggregation
from deepret.models.aggregation.sum import Sum
from deepret.models.backbone.lite0 import Lite0
from deepret.models.head.l2 import L2
from deepret.models.input.base import View
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.projection.pca import PCA
from deepret.models.projection.shift_fc import ShiftFC
from deepret.models.regions.grid import Grid, grid_boxes
from deepret.models.types import Regions
from deepret.models.weighting.uniform import Uniform


def network(backbone: Any, scales: list[float] | None = None, **parts: nn.Module) -> Network:
    composed: dict[str, Any] = {
        "input": Longer(backbone.mean, backbone.std, size=96, scales=scales),
        "backbone": backbone,
        "regions": Grid(),
        "pooling": Max(),
        "projection": NoProjection(backbone.channels),
        "weighting": Uniform(),
        "aggregation": Sum(),
        "head": L2(),
    }
    return Network(**(composed | parts)).eval()


class Tiny(nn.Module):
    """A backbone of one convolution, fast and not smooth."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.stride = 6, 8
        self.mean, self.std = [0.5] * 3, [0.25] * 3
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 8, 8)

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.conv(images))


def pictures(count: int, height: int = 96, width: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


def test_equals_rmac_step_by_step() -> None:
    net = network(Tiny(), projection=PCA(channels=6, dim=4))
    images = pictures(3)
    net.projection.fit(net.pooled(net.maps(images)).vectors)  # type: ignore[operator]
    maps = net.maps(images)
    codes = net(images)
    for b in range(3):
        total = torch.zeros(4)
        for x0, y0, x1, y1 in grid_boxes(*maps.shape[2:], 3, True).tolist():
            vector = unit(maps[b, :, y0:y1, x0:x1].amax((1, 2)))
            total += unit(net.projection.rows @ (vector - net.projection.mean))  # type: ignore[operator]
        assert torch.allclose(codes.vectors[b], unit(total), atol=1e-5)
    assert codes.image.tolist() == [0, 1, 2]


def test_one_image_alone_and_in_a_batch_have_one_code(lite0: Lite0) -> None:
    net = network(lite0, projection=ShiftFC(channels=1280, dim=8))
    images = pictures(5, 96, 80)
    with torch.inference_mode():
        net.projection.fit(net.pooled(net.maps(images)).vectors)  # type: ignore[operator]
        together = net(images).vectors
        alone = torch.cat([net(image[None]).vectors for image in images])
    assert (together - alone).abs().max() <= 1e-5
    assert (together - together[:1]).abs().max() > 1e-3  # it does tell images apart


def test_bytes_and_floats_and_layouts_have_one_code() -> None:
    net = network(Tiny())
    images = pictures(2)
    codes = net(images).vectors
    assert torch.allclose(net(images.float()).vectors, codes, atol=1e-6)
    assert torch.allclose(net(images.contiguous(memory_format=torch.channels_last)).vectors, codes, atol=1e-6)


def test_codes_from_maps_and_regions_that_are_given() -> None:
    net = network(Tiny())
    images = pictures(2)
    maps = net.maps(images)
    assert torch.equal(net.codes(maps).vectors, net(images).vectors)
    whole = Regions(torch.tensor([[0, 0, 8, 12], [0, 0, 8, 12]]), torch.tensor([0, 1]))
    wanted = nn.functional.normalize(maps.amax((2, 3)), dim=1)
    assert torch.allclose(net.codes(maps, whole).vectors, wanted, atol=1e-6)


def test_several_scales_are_summed_in_evaluation_only() -> None:
    several, one = network(Tiny(), scales=[0.5, 1.0]), network(Tiny())
    images = pictures(2)
    pixels = several.input(images)
    small = nn.functional.interpolate(pixels, size=(48, 32), mode="bilinear", antialias=True)
    vectors = [one.codes(one.backbone(x)).vectors for x in (small, pixels)]
    wanted = torch.stack([unit(a + b) for a, b in zip(*vectors, strict=True)])
    assert torch.allclose(several(images).vectors, wanted, atol=1e-6)
    assert torch.equal(several.train()(images).vectors, vectors[1])


def test_several_scales_want_one_code_an_image() -> None:
    assert len(network(Tiny(), aggregation=NoAggregation())(pictures(2)).vectors) > 2
    with pytest.raises(UserError, match=r"input.scales=\[0.5, 1.0\]"):
        network(Tiny(), scales=[0.5, 1.0], aggregation=NoAggregation())


class Halves(nn.Module):
    """Regions that are found in the pixels: the brighter half of each image, left or right."""

    needs_images = True

    def propose(self, images: Tensor) -> list[Tensor]:
        halves = [half.float().mean(dim=(1, 2, 3)) for half in images.chunk(2, dim=3)]
        left = torch.tensor([[0.0, 0.0, 0.5, 1.0]])
        return [left + torch.tensor([0.5, 0, 0.5, 0]) * float(b > a) for a, b in zip(*halves, strict=True)]

    def forward(self, maps: Tensor, boxes: list[Tensor]) -> Regions:
        cells = torch.cat(boxes) * torch.tensor([maps.shape[3], maps.shape[2]]).repeat(2)
        return Regions(cells.round().long(), torch.arange(len(boxes)))


def slow_halves(net: Network, images: Tensor, scale: float, mirrored: bool) -> Tensor:
    """Maxima over the half of each map that shows the brighter half of the image, in one view."""
    codes = []
    for image in images:
        left, right = image[..., : image.shape[-1] // 2], image[..., image.shape[-1] // 2 :]
        first = float(left.float().mean()) >= float(right.float().mean())
        maps = net.backbone(net.input.seen(net.input(image[None]), View(scale, mirrored)))[0]
        middle = maps.shape[2] // 2
        half = maps[..., :middle] if first != mirrored else maps[..., middle:]
        codes.append(unit(half.amax(dim=(1, 2))))
    return torch.stack(codes)


def test_regions_that_are_found_in_the_pixels_are_looked_at_in_every_view() -> None:
    images = pictures(6, 64, 64)
    images[::2, :, :, :32] //= 2
    plain = network(Tiny(), regions=Halves())
    assert torch.allclose(plain(images).vectors, slow_halves(plain, images, 1.0, False), atol=1e-6)
    assert torch.equal(plain.train()(images).vectors, plain.eval()(images).vectors)
    maps = plain.maps(images)
    assert torch.equal(plain.codes(maps).vectors, plain(images).vectors)
    assert len(plain.codes(maps, plain.chosen(maps)).vectors) == 6
    several = network(
        Tiny(), input=Longer([0.5] * 3, [0.25] * 3, size=64, scales=[1.0, 0.5], flip=True), regions=Halves()
    )
    views = [slow_halves(several, images, scale, mirrored) for mirrored in (False, True) for scale in (1.0, 0.5)]
    wanted = torch.stack([unit(row) for row in torch.stack(views).sum(0)])
    assert torch.allclose(several(images).vectors, wanted, atol=1e-6)


def test_local_features_need_no_regions_from_the_pixels() -> None:
    backbone = Tiny()
    assert network(backbone, regions=Halves()).needs_images
    assert not network(backbone).needs_images
    backbone.local = True  # type: ignore[assignment]
    assert not network(backbone, regions=Halves()).needs_images


def test_everything_after_the_pooling_is_float32_under_autocast() -> None:
    net = network(Tiny(), projection=ShiftFC(channels=6, dim=4))
    net.projection.fit(torch.rand(50, 6))  # type: ignore[operator]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = net.maps(pictures(2))
        codes = net.codes(maps).vectors
        assert maps.dtype == torch.bfloat16
        assert net.pooled(net.maps(pictures(2))).vectors.dtype == torch.float32
    assert codes.dtype == torch.float32
    assert torch.allclose(codes.norm(dim=1), torch.ones(2), atol=1e-6)
    assert (codes - net(pictures(2)).vectors).abs().max() < 0.05


def test_everything_that_should_learn_has_a_gradient() -> None:
    net = network(Tiny(), projection=ShiftFC(channels=6, dim=4)).train()
    net.projection.fit(torch.rand(50, 6))  # type: ignore[operator]
    net(pictures(2)).vectors[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
