from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from deepret.data.catalogue import Catalogue
from deepret.models.input.longer import Longer
from deepret.training.fit import fit_projection, fitting_rows

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
    """A projection that remembers what it was fitted on."""

    needs_fit = True

    def __init__(self) -> None:
        super().__init__()
        self.fitted = torch.tensor(False)

    def fit(self, vectors: Tensor) -> None:
        self.vectors = vectors


class Brightness(nn.Module):
    """A network with one region, the image, whose vector is its mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.input = Longer([0.0] * 3, [1.0] * 3, size=32, multiple=8)
        self.projection = Recorded()

    def region_vectors(self, images: Tensor) -> Tensor:
        assert not self.training
        return images.float().mean(dim=(2, 3))


def test_the_projection_is_fitted_on_the_vectors_of_these_rows(tmp_path: Path) -> None:
    splits = ["test", "train", "val", "train", "train", "distractor"]
    for i in range(len(splits)):
        Image.new("RGB", (32, 32), (40 * i, 10, 5)).save(tmp_path / f"{i}.png")
    network, found = Brightness(), catalogue(tmp_path, splits)
    settings = {"images": 2, "seed": 1, "batch_size": 2, "workers": 0, "device": torch.device("cpu")}
    assert fit_projection(network, found, **settings) == 2  # type: ignore[arg-type]
    wanted = [network.input.tensor(found.photo(i)).float().mean(dim=(1, 2)) for i in fitting_rows(found, 2, 1)]
    assert torch.allclose(network.projection.vectors.sort(dim=0).values, torch.stack(wanted).sort(dim=0).values)
    network.projection.fitted.fill_(True)
    assert fit_projection(network, found, **settings) == 0  # type: ignore[arg-type]
