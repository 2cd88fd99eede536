"""Maps that are kept give the codes that maps made anew give."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from deepret.data.photo import Photo
from deepret.models.aggregation.sum import Sum
from deepret.models.backbone.rootsift import RootSIFT
from deepret.models.head.l2 import L2
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.grid import Grid
from deepret.models.types import Regions
from deepret.models.weighting.uniform import Uniform
from deepret.search.describe import Describer
from deepret.search.looked import Store, look

SIZES = [(64, 48), (48, 64), (64, 64), (64, 48), (96, 40), (48, 64), (64, 48)]


class Layer(nn.Module):
    """A backbone of one layer, which counts the images that it sees."""

    seen: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 8, 8, stride=8)

    def forward(self, images: Tensor) -> Any:
        self.seen.append(len(images))
        return self.layer(images)


class Bright(Layer):
    """Local features: the pixels above the mean of their image, which some images have none of."""

    local = True

    def forward(self, images: Tensor) -> Regions:
        self.seen.append(len(images))
        bright = images.mean(1) > images.mean((1, 2, 3), keepdim=True)[:, 0] + 1e-6
        image, y, x = bright.nonzero().unbind(1)
        return Regions(torch.stack([x, y, x + 1, y + 1], 1), image, images[image, :, y, x])


@pytest.fixture(autouse=True)
def unseen() -> None:
    Layer.seen.clear()


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    generator = np.random.default_rng(0)
    for i, (width, height) in enumerate(SIZES):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    boxed = Photo(tmp_path / "2.png", (8.0, 4.0, 56.0, 40.0))
    return [*(Photo(tmp_path / f"{i}.png") for i in range(len(SIZES))), boxed]


def network(backbone: nn.Module | None = None, **settings: Any) -> Network:
    channels = 3 if isinstance(backbone, Bright) else 8
    return Network(
        input=Longer(mean=[0.5] * 3, std=[0.25] * 3, size=64, **settings),
        backbone=backbone or Layer(),
        regions=Grid(),
        pooling=Max(),
        projection=NoProjection(channels=channels),
        weighting=Uniform(),
        aggregation=Sum(),
        head=L2(),
    )


def codes(net: Network, photos: list[Photo], folder: Path | None, **settings: Any) -> Tensor:
    store = None if folder is None else Store(folder)
    return Describer(net, batch_size=3, workers=0, progress=False, store=store, **settings)(photos)


@pytest.mark.parametrize("kind", [Layer, Bright])
@pytest.mark.parametrize("settings", [{}, {"scales": [0.5, 1.0], "flip": True}])
def test_codes_are_the_same_and_nothing_is_looked_at_twice(
    kind: type[Layer], settings: dict[str, Any], photos: list[Photo], tmp_path: Path
) -> None:
    wanted = codes(network(kind(), **settings), photos, None)
    Layer.seen.clear()
    assert torch.equal(codes(network(kind(), **settings), photos, tmp_path / "maps"), wanted)
    assert sum(Layer.seen) == len(photos) * (4 if settings else 1)
    assert torch.equal(codes(network(kind(), **settings), photos, tmp_path / "maps"), wanted)
    assert sum(Layer.seen) == len(photos) * (4 if settings else 1)


class Left(nn.Module):
    """Regions that are found in the pixels, but always the left half; what it saw is kept by the class."""

    needs_images = True
    seen: ClassVar[list[int]] = []

    def propose(self, images: Tensor) -> list[Tensor]:
        self.seen.append(len(images))
        return [torch.tensor([[0.0, 0.0, 0.5, 1.0]])] * len(images)

    def forward(self, maps: Tensor, boxes: list[Tensor]) -> Regions:
        cells = torch.cat(boxes) * torch.tensor([maps.shape[3], maps.shape[2]]).repeat(2)
        cells = torch.stack([*cells[:, :2].floor().T, *cells[:, 2:].ceil().T], dim=1).long()
        return Regions(cells, torch.arange(len(boxes)))


@pytest.mark.parametrize("settings", [{}, {"scales": [0.5, 1.0], "flip": True}])
def test_regions_in_the_pixels_are_found_beside_maps_that_are_kept(
    settings: dict[str, Any], photos: list[Photo], tmp_path: Path
) -> None:
    net = network(**settings)
    net.regions = Left()
    Left.seen.clear()
    wanted = codes(net, photos, None)
    assert not torch.allclose(wanted, codes(network(**settings), photos, None))
    Layer.seen.clear()
    for _ in range(2):
        assert torch.equal(codes(net, photos, tmp_path / "maps"), wanted)
    assert sum(Layer.seen) == len(photos) * (4 if settings else 1)
    assert sum(Left.seen) == 3 * len(photos)  # once a photograph, whatever the views
    assert torch.equal(codes(network(**settings), photos, tmp_path / "maps"), codes(network(**settings), photos, None))


@pytest.mark.parametrize("where", ["keypoints", "dense"])
def test_local_features_are_kept_as_they_are(where: Any, photos: list[Photo], tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "flat.png")
    photos = [*photos, Photo(tmp_path / "flat.png")]
    net = network(Bright()).eval()
    net.backbone = RootSIFT(where=where, sizes=[16], colour=True)
    settings: dict[str, Any] = {"batch_size": 3, "workers": 0, "device": torch.device("cpu")}
    wanted = [views[0] for views, _ in look(net, photos, None, **settings)]
    for _ in range(2):
        found = [views[0] for views, _ in look(net, photos, None, store=Store(tmp_path / "maps"), **settings)]
        for one, other in zip(found, wanted, strict=True):
            assert isinstance(one, Regions)
            assert isinstance(other, Regions)
            assert torch.equal(one.boxes, other.boxes)
            assert torch.equal(one.image, other.image)
            assert torch.equal(one.vectors, other.vectors)  # type: ignore[arg-type]
            assert one.vectors.shape[1] == 224  # type: ignore[union-attr]
    net.backbone.opencv = "another version"  # type: ignore[assignment]
    assert not Store(tmp_path / "maps").of(net).path(photos[0], net.input.plainest).exists()


def test_batches_are_the_same_where_some_are_kept(photos: list[Photo], tmp_path: Path) -> None:
    net, settings = network().eval(), {"batch_size": 3, "workers": 0, "device": torch.device("cpu")}
    wanted = [where.tolist() for _, where in look(net, photos, None, **settings)]  # type: ignore[arg-type]
    list(look(net, photos[2:5], None, store=Store(tmp_path / "maps"), **settings))  # type: ignore[arg-type]
    found = list(look(net, photos, None, store=Store(tmp_path / "maps"), **settings))  # type: ignore[arg-type]
    assert [where.tolist() for _, where in found] == wanted
    for views, where in found:
        shapes = {net.input.tensor(photos[i]).shape for i in where.tolist()}
        assert len(shapes) == 1
        assert len(views) == 1
        assert len(views[0]) == len(where)  # type: ignore[arg-type]


def test_what_the_backbone_gives_decides(photos: list[Photo], tmp_path: Path) -> None:
    codes(network(), photos, tmp_path / "maps")
    before = len(Layer.seen)
    other = network()
    other.regions, other.input.merge = Grid(1), "max"
    codes(other, photos, tmp_path / "maps")
    assert len(Layer.seen) == before
    codes(network(multiple=8), photos, tmp_path / "maps")
    assert len(Layer.seen) > before
    before = len(Layer.seen)
    weights = network()
    with torch.no_grad():
        weights.backbone.layer.bias += 1  # type: ignore[union-attr,operator]
    codes(weights, photos, tmp_path / "maps")
    assert len(Layer.seen) > before


def test_what_is_found_in_another_precision_is_kept_apart(photos: list[Photo], tmp_path: Path) -> None:
    wanted = codes(network(), photos, None)
    codes(network(), photos, tmp_path / "maps", precision="bf16")
    assert torch.equal(codes(network(), photos, tmp_path / "maps"), wanted)


def test_only_views_that_are_missing_are_looked_at(photos: list[Photo], tmp_path: Path) -> None:
    codes(network(), photos, tmp_path / "maps")
    Layer.seen.clear()
    wanted = codes(network(scales=[0.5, 1.0], flip=True), photos, None)
    assert sum(Layer.seen) == 4 * len(photos)
    assert torch.equal(codes(network(scales=[0.5, 1.0], flip=True), photos, tmp_path / "maps"), wanted)
    assert sum(Layer.seen) == 7 * len(photos)
    codes(network(flip=True), photos, tmp_path / "maps")
    assert sum(Layer.seen) == 7 * len(photos)


def test_a_photograph_that_changes_is_looked_at_again(photos: list[Photo], tmp_path: Path) -> None:
    before = codes(network(), photos, tmp_path / "maps")
    Layer.seen.clear()
    Image.new("RGB", SIZES[0], (200, 10, 10)).save(photos[0].path)
    os.utime(photos[0].path, (1, 1))
    after = codes(network(), photos, tmp_path / "maps")
    assert 0 < sum(Layer.seen) <= 3
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


def test_a_damaged_file_is_made_again(photos: list[Photo], tmp_path: Path) -> None:
    wanted = codes(network(), photos, tmp_path / "maps")
    files = sorted((tmp_path / "maps").rglob("*.safetensors"))
    assert len(files) == len(photos)
    files[0].write_bytes(files[0].read_bytes()[:-5])
    files[1].write_bytes(b"")
    files[2].unlink()
    assert torch.equal(codes(network(), photos, tmp_path / "maps"), wanted)
    Layer.seen.clear()
    assert torch.equal(codes(network(), photos, tmp_path / "maps"), wanted)
    assert Layer.seen == []


def test_a_folder_that_cannot_be_written_is_warned_of_once(photos: list[Photo], tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("a file")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = codes(network(), photos, tmp_path / "maps")
    assert torch.equal(found, codes(network(), photos, None))
    assert [str(one.message).partition(":")[0] for one in said] == ["maps are not kept"]


def test_ranks_share_the_batches(photos: list[Photo], tmp_path: Path) -> None:
    net, settings = network().eval(), {"batch_size": 2, "workers": 0, "device": torch.device("cpu")}
    store = Store(tmp_path / "maps")
    found = [
        i
        for rank in range(3)
        for _, where in look(net, photos, None, rank=rank, world=3, store=store, **settings)  # type: ignore[arg-type]
        for i in where.tolist()
    ]
    assert sorted(found) == list(range(len(photos)))
