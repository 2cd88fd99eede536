"""Where a network looks: boxes of regions and of local features, in pixels of the photograph."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from data.pictures import picture
from networks import simplest
from torch import Tensor, nn

from deepret.data.photo import Photo
from deepret.models.backbone.rootsift import RootSIFT
from deepret.reports.looked_at import looked_at


class Cells(nn.Module):
    """A backbone that gives a cell for every 8 × 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.mean, self.std = 3, [0.0] * 3, [1 / 255] * 3

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images, 8)


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    picture(0, 320, 240).save(tmp_path / "a.png")
    return Photo(tmp_path / "a.png")


def test_a_region_is_drawn_where_it_is(photo: Photo) -> None:
    assert looked_at(simplest(Cells(), size=160), torch.device("cpu"))(photo) == [(0, 0, 320, 240)]


def test_the_first_local_features_are_drawn_where_they_are(photo: Photo) -> None:
    net = simplest(RootSIFT(), size=160)
    found = net.maps(net.input.tensor(photo)[None]).boxes[:3]  # type: ignore[union-attr]
    height = net.input.shape(320, 240)[0]
    wanted = [(2 * x0, y0 * 240 / height, 2 * x1, y1 * 240 / height) for x0, y0, x1, y1 in found.tolist()]
    boxes = looked_at(net, torch.device("cpu"), 3)(photo)
    assert len(boxes) == 3
    for box, want in zip(boxes, wanted, strict=True):
        assert box == pytest.approx(want, abs=1e-3)
