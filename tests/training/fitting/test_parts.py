from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.models.aggregation.sum import Sum
from deepret.models.aggregation.vlad import VLAD
from deepret.models.backbone.rootsift import RootSIFT
from deepret.models.head.pca import PCA as HeadPCA
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.grid import Grid
from deepret.models.types import Codes, Regions
from deepret.models.weighting.uniform import Uniform
from deepret.search.looked import Store
from deepret.training.fitting.parts import Fitting, drawn, fit_parts, fitting_rows, to_fit

SPLITS = ["test", "train", "val", "train", "distractor", "train", "query", "train", "gallery", "train"] * 3


def catalogue(root: Path = Path("nowhere"), splits: list[str] = SPLITS) -> Catalogue:
    n = len(splits)
    names = [f"{i}.png" for i in range(n)]
    return Catalogue(root, names, ["a"] * n, splits, [(32, 32)] * n, [[] for _ in names], [False] * n)  # type: ignore[arg-type]


def test_rows_are_of_the_train_split_alone() -> None:
    train = [i for i, split in enumerate(SPLITS) if split == "train"]
    assert fitting_rows(catalogue(), 1000, seed=0) == train
    for seed in range(20):
        rows = fitting_rows(catalogue(), 4, seed)
        assert len(set(rows)) == 4
        assert rows == sorted(rows)
        assert set(rows) <= set(train)
    assert len({tuple(fitting_rows(catalogue(), 4, seed)) for seed in range(20)}) > 10


class Recorded(nn.Module):
    """A part that remembers what it was fitted on."""

    needs_fit = True

    def __init__(self) -> None:
        super().__init__()
        self.fitted = torch.tensor(False)

    def fit(self, vectors: Tensor, labels: Tensor) -> None:
        self.vectors, self.labels = vectors.clone(), labels
        self.fitted.fill_(True)


class Doubled(Recorded):
    """A projection, fitted, to twice its input."""

    def forward(self, vectors: Tensor) -> Tensor:
        return 2 * vectors


class Summed(Recorded):
    """An aggregation, fitted, that sums."""

    def forward(self, regions: Regions, weights: Tensor, batch: int) -> Codes:
        return Sum()(regions, weights, batch)


class Same(Recorded):
    """A head, fitted, that does nothing."""

    def forward(self, codes: Codes) -> Codes:
        return codes


class Shrunk(nn.Module):
    """A backbone: the mean colour of each block of 8 × 8 pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, 8)


def network() -> Network:
    parts = {"regions": Grid(2, whole=False), "pooling": Max(), "weighting": Uniform()}
    made = Longer([0.0] * 3, [1 / 255] * 3, size=32, multiple=8)
    learned = {"projection": Doubled(), "aggregation": Summed(), "head": Same()}
    return Network(input=made, backbone=Shrunk(), **parts, **learned)


def photographs(root: Path, splits: list[str]) -> Catalogue:
    for i in range(len(splits)):
        Image.effect_mandelbrot((32, 24 + 8 * (i % 2)), (-1.5 + i / 9, -1, 0.5, 1), 20).convert("RGB").save(
            root / f"{i}.png"
        )
    found = catalogue(root, splits)
    found.sizes[:] = [(32, 24 + 8 * (i % 2)) for i in range(len(splits))]
    found.labels[:] = [f"class {i}" for i in range(len(splits))]
    return found


SIX = ["test", "train", "val", "train", "train", "distractor"]
SETTINGS: dict[str, Any] = {"seed": 1, "batch_size": 2, "workers": 0, "device": torch.device("cpu")}


@pytest.mark.parametrize("kept", [False, True])
def test_each_part_is_fitted_on_what_the_parts_before_it_make_of_the_same_photographs(
    tmp_path: Path, kept: bool
) -> None:
    net, found = network(), photographs(tmp_path, SIX)
    assert to_fit(net) == ["projection", "aggregation", "head"]
    store = Store(tmp_path / "maps") if kept else None
    net.head.fitted.fill_(True)
    assert fit_parts(net, found, Fitting(images=2, regions=100, folder=tmp_path, store=store, **SETTINGS)) == 2  # type: ignore
    assert to_fit(net) == []
    assert not hasattr(net.head, "vectors")
    wanted, classes = [], []
    for i in fitting_rows(found, 2, 1):
        maps = net.maps(net.input.tensor(found.photo(i))[None])
        wanted.append(Max()(maps, Grid(2, whole=False)(maps)))
        classes += [int(found.label_ids()[i])] * len(wanted[-1])
    rows = torch.cat(wanted)
    for part, factor in ((net.projection, 1), (net.aggregation, 2)):
        assert sorted(part.labels.tolist()) == sorted(classes)
        for label in set(classes):
            own = rows[[i for i, other in enumerate(classes) if other == label]]
            assert torch.allclose(part.vectors[part.labels == label], factor * own)
    assert fit_parts(net, found, Fitting(images=2, regions=100, folder=tmp_path, **SETTINGS)) == 0  # type: ignore


def test_batches_change_nothing(tmp_path: Path) -> None:
    found, fitted = photographs(tmp_path, SIX), []
    for size in (1, 2, 5):
        net = network()
        fit_parts(net, found, Fitting(images=9, regions=3, folder=tmp_path, **{**SETTINGS, "batch_size": size}))
        fitted.append((net.projection.vectors, net.projection.labels, net.head.vectors))
    for other in fitted[1:]:
        for one, two in zip(fitted[0], other, strict=True):
            assert torch.allclose(one, two)
    assert fitted[0][1].tolist() == sorted(fitted[0][1].tolist())


def test_photographs_are_fitted_on_as_they_are_however_many_views_are_described(tmp_path: Path) -> None:
    found, fitted = photographs(tmp_path, SIX), []
    for scales, flip in ([1.0], False), ([0.5, 1.0, 2.0], True):
        net = network()
        net.input.scales, net.input.flip = scales, flip
        fit_parts(net, found, Fitting(images=9, regions=100, folder=tmp_path, **SETTINGS))  # type: ignore
        fitted.append(net.head.vectors)
    assert torch.equal(*fitted)


class Adapted(Summed):
    """An aggregation that remembers what it was adapted to."""

    adapt_to = "test"

    def adapt(self, vectors: Tensor) -> None:
        assert self.fitted
        self.target = vectors.clone()


def test_a_part_that_asks_for_it_is_adapted_to_another_split_once_it_is_fitted(tmp_path: Path) -> None:
    splits = ["test", "train", "val", "train", "train", "test"]
    net, found = network(), photographs(tmp_path, splits)
    net.aggregation = Adapted()
    assert fit_parts(net, found, Fitting(images=5, regions=100, folder=tmp_path, **SETTINGS)) == 3  # type: ignore
    wanted = []
    for i in (0, 5):
        regions = net.projected(net.maps(net.input.tensor(found.photo(i))[None]))
        wanted.append(regions.vectors)
    assert sorted(net.aggregation.target.tolist()) == sorted(torch.cat(wanted).tolist())
    assert not set(map(tuple, net.aggregation.target.tolist())) & set(map(tuple, net.aggregation.vectors.tolist()))


def test_a_split_that_is_not_there_is_told_before_the_part_is_fitted(tmp_path: Path) -> None:
    net, found = network(), photographs(tmp_path, SIX)
    net.aggregation = Adapted()
    net.aggregation.adapt_to = "gallery"
    with pytest.raises(UserError, match=r"aggregation.adapt=gallery: .* distractor, test, train, val"):
        fit_parts(net, found, Fitting(images=5, regions=100, folder=tmp_path, **SETTINGS))  # type: ignore
    assert not net.aggregation.fitted


def test_codes_are_what_a_head_is_fitted_on(tmp_path: Path) -> None:
    net, found = network(), photographs(tmp_path, SIX)
    fit_parts(net, found, Fitting(images=3, regions=1, folder=tmp_path, **SETTINGS))  # type: ignore
    assert net.head.vectors.shape == (3, 3)
    assert net.projection.vectors.shape == (3, 3)
    for label, code in zip(net.head.labels.tolist(), net.head.vectors, strict=True):
        row = found.label_ids().tolist().index(label)
        maps = net.maps(net.input.tensor(found.photo(row))[None])
        assert torch.allclose(code, net.aggregated(maps).vectors[0])


def test_of_many_regions_some_are_drawn_whatever_batch_their_image_is_in() -> None:
    image = torch.tensor([0] * 5 + [1] * 2 + [2] * 9)
    kept = drawn(image, torch.tensor([7, 3, 8]), 4, seed=0)
    assert torch.bincount(image[kept]).tolist() == [4, 2, 4]
    assert kept.tolist() == sorted(set(kept.tolist()))
    alone = drawn(torch.zeros(9, dtype=torch.int64), torch.tensor([8]), 4, seed=0)
    assert (alone + 7).tolist() == kept[-4:].tolist()
    draws = {tuple(drawn(image, torch.tensor([7, 3, 8]), 4, seed).tolist()) for seed in range(9)}
    assert len(draws) > 5


def test_photographs_without_a_local_feature_take_no_part_in_a_fit(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for i in range(10):
        Image.fromarray(generator.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / f"{i}.png")
    states = []
    for flat in ([], [0, 1, 7]):  # the first two are a batch
        for i in flat:
            Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / f"{i}.png")
        rows = [i for i in range(10) if flat or i not in (0, 1, 7)]
        names = [f"{i}.png" for i in rows]
        n = len(rows)
        some = Catalogue(tmp_path, names, ["a"] * n, ["train"] * n, [(64, 64)] * n, [[] for _ in names], [False] * n)  # type: ignore[arg-type]
        backbone = RootSIFT()
        network = Network(
            Longer(backbone.mean, backbone.std, size=64),
            backbone,
            Grid(),
            Max(),
            NoProjection(128),
            Uniform(),
            VLAD(128, centres=4),
            HeadPCA(512, dim=3),
        )
        more = {"regions": 10_000, "seed": 0, "batch_size": 2, "workers": 0, "device": torch.device("cpu")}
        with pytest.warns(UserWarning, match="3 of the 10 codes .* are zero") if flat else nullcontext():
            fit_parts(network, some, Fitting(images=100, folder=tmp_path / "vectors", **more))
        states.append(network.state_dict())
    assert all(torch.equal(value, states[0][name]) for name, value in states[1].items())
