from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from deepret.data.catalogue import Catalogue
from deepret.models.aggregation.sum import Sum
from deepret.models.head.l2 import L2
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.parts_pca import PartsPCA
from deepret.models.projection.pca import PCA
from deepret.models.regions.grid import Grid
from deepret.models.weighting.uniform import Uniform
from deepret.training.fitting.kept import fitted_once
from deepret.training.fitting.parts import Fitting

SPLITS = ["train"] * 6 + ["test", "val"]


class Shrunk(nn.Module):
    """A backbone: the mean colour of each block of 8 × 8 pixels; it counts its images."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        SEEN.append(len(images))
        return F.avg_pool2d(images, 8) * self.scale  # type: ignore[operator]


class Adapted(PCA):
    """A projection that looks at another split as well."""

    adapt_to = "val"

    def adapt(self, vectors: Tensor) -> None:
        """Leaves everything as it is."""


class Unkept(nn.Module):
    """A projection that does not keep in its state that it is fitted."""

    needs_fit = True

    def __init__(self) -> None:
        super().__init__()
        self.fitted = torch.tensor(False)

    def fit(self, vectors: Tensor, labels: Tensor) -> None:
        self.fitted.fill_(True)

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors


SEEN: list[int] = []
SETTINGS: dict[str, Any] = {"images": 5, "regions": 9, "seed": 0, "batch_size": 2, "device": torch.device("cpu")}


def network(projection: nn.Module | None = None) -> Network:
    return Network(
        input=Longer([0.0] * 3, [1 / 255] * 3, size=32, multiple=8),
        backbone=Shrunk(),
        regions=Grid(2),
        pooling=Max(),
        projection=projection or PCA(channels=3, dim=2),
        weighting=Uniform(),
        aggregation=Sum(),
        head=L2(),
    )


@pytest.fixture
def found(tmp_path: Path) -> Catalogue:
    SEEN.clear()
    generator = np.random.default_rng(0)
    n = len(SPLITS)
    (tmp_path / "photos").mkdir()
    for i in range(n):
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    names, labels = [f"{i}.png" for i in range(n)], [f"class {i // 2}" for i in range(n)]
    return Catalogue(tmp_path / "photos", names, labels, list(SPLITS), [(32, 32)] * n, [[]] * n, [False] * n)


def fitted(found: Catalogue, cache: Path, net: Network | None = None, **more: Any) -> dict[str, Tensor]:
    """The state of a projection that is fitted, or was."""
    net = net or network()
    settings = {**SETTINGS, **more}
    assert fitted_once(net, found, Fitting(folder=cache, workers=0, **settings)) == settings["images"]
    return {name: value.clone() for name, value in net.projection.state_dict().items()}


def test_the_same_is_fitted_once_and_is_the_same_to_the_last_digit(found: Catalogue, tmp_path: Path) -> None:
    first = fitted(found, tmp_path / "cache")
    seen = len(SEEN)
    second = fitted(found, tmp_path / "cache")
    assert len(SEEN) == seen > 0
    assert bool(second["fitted"])
    assert all(torch.equal(second[name], value) for name, value in first.items())
    net = network()
    net.projection.load_state_dict(first)
    assert fitted_once(net, found, Fitting(folder=tmp_path, workers=0, **SETTINGS)) == 0


@pytest.mark.parametrize("change", [{"images": 4}, {"regions": 2}, {"seed": 1}, {"batch_size": 3}])
def test_what_is_drawn_decides(found: Catalogue, tmp_path: Path, change: dict[str, int]) -> None:
    fitted(found, tmp_path)
    seen = len(SEEN)
    fitted(found, tmp_path, **change)
    assert len(SEEN) > seen


def test_network_and_photographs_decide(found: Catalogue, tmp_path: Path) -> None:
    def again(net: Network | None = None) -> bool:
        seen = len(SEEN)
        fitted(found, tmp_path, net)
        return len(SEEN) > seen

    assert again()
    other = network()
    other.backbone.scale += 1  # type: ignore[operator]
    assert again(other)
    assert again(network(PCA(channels=3, dim=1)))
    assert again(network(Adapted(channels=3, dim=2)))
    assert not again(network(Adapted(channels=3, dim=2)))
    os.utime(found.root / "7.png", (1, 1))  # of val
    assert not again()
    assert again(network(Adapted(channels=3, dim=2)))
    os.utime(found.root / "6.png", (1, 1))  # of test
    assert not again()
    found.labels[:3] = ["other"] * 3
    assert again()
    for i in range(6):
        os.utime(found.root / f"{i}.png", (1, 1))
    assert again()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: b"", lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]]
)
def test_what_is_damaged_is_fitted_again(found: Catalogue, tmp_path: Path, damage: Any) -> None:
    first = fitted(found, tmp_path)
    (file,) = (tmp_path / "fitted").glob("*.safetensors")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    seen = len(SEEN)
    second = fitted(found, tmp_path)
    assert len(SEEN) > seen
    assert all(torch.equal(second[name], value) for name, value in first.items())
    assert file.read_bytes() == whole


def test_a_part_whose_state_does_not_tell_is_not_kept(found: Catalogue, tmp_path: Path) -> None:
    fitted(found, tmp_path, network(Unkept()))
    seen = len(SEEN)
    fitted(found, tmp_path, network(Unkept()))
    assert len(SEEN) > seen


def test_a_part_of_several_that_are_fitted_is_kept(found: Catalogue, tmp_path: Path) -> None:
    first = fitted(found, tmp_path, network(PartsPCA(3, [3], 2)))
    seen = len(SEEN)
    second = fitted(found, tmp_path, network(PartsPCA(3, [3], 2)))
    assert len(SEEN) == seen
    assert first.keys() == second.keys()
    assert all(torch.equal(second[name], value) for name, value in first.items())


def test_a_folder_that_cannot_be_written_is_warned_of(found: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "fitted").write_text("a file")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fitted(found, tmp_path)
    assert [str(one.message).partition(":")[0] for one in said] == ["fitted parts are not kept"]
