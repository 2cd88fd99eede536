"""The weights of regions, cell by cell and in colours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from data.pictures import picture
from hypothesis import given
from models.pooling.drawn import maps_and_boxes
from networks import simplest
from PIL import Image, ImageColor
from reports.test_looked_at import Cells
from torch import Tensor, nn

from deepret.data.photo import Photo
from deepret.models.network import Network
from deepret.models.regions.cells import Cells as EveryCell
from deepret.models.regions.grid import Grid
from deepret.models.types import Regions
from deepret.models.weighting.attention import Attention
from deepret.models.weighting.centre import Centre
from deepret.reports.weighed import ALIKE, LESS, MORE, coloured, heat_of, weighed, weighs


def slow_heat(height: int, width: int, boxes: list[list[int]], weights: list[float]) -> Tensor:
    found = torch.zeros(height, width)
    for y in range(height):
        for x in range(width):
            over = [w for (x0, y0, x1, y1), w in zip(boxes, weights, strict=True) if x0 <= x < x1 and y0 <= y < y1]
            found[y, x] = sum(over) / len(over) if over else 0.0
    return found / max(float(found.sum()) / (height * width), 1e-12)


@given(maps_and_boxes())
def test_a_cell_has_the_mean_weight_of_its_regions(case: tuple[Tensor, Regions]) -> None:
    maps, regions = case
    weights = torch.rand(len(regions.boxes), generator=torch.Generator().manual_seed(0)) + 0.1
    wanted = slow_heat(*maps.shape[2:], regions.boxes.tolist(), weights.tolist())
    assert torch.allclose(heat_of(*maps.shape[2:], regions, weights), wanted, atol=1e-4)
    each = weights[:, None] * torch.tensor([0.5, 1.5])  # of channels, their mean
    assert torch.allclose(heat_of(*maps.shape[2:], regions, each), wanted, atol=1e-4)


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    picture(0, 320, 240).save(tmp_path / "a.png")
    return Photo(tmp_path / "a.png", (10.0, 10.0, 50.0, 50.0))


def network(weighting: nn.Module, regions: nn.Module) -> Network:
    made = simplest(Cells(), size=160)
    made.regions, made.weighting = regions, weighting
    return made


def test_a_photograph_is_weighed_whole_and_alike_before_training(photo: Photo) -> None:
    heat = weighed(network(Attention(3), Grid()), torch.device("cpu"))(photo)
    assert heat.shape == (16, 20)  # 128 × 160 pixels
    assert torch.allclose(heat, torch.ones_like(heat), atol=1e-5)
    middle = weighed(network(Centre(), EveryCell()), torch.device("cpu"))(photo)
    assert middle[8, 10] > 1 > middle[0, 0]


def test_only_weightings_that_look_at_photographs_are_drawn() -> None:
    plain = simplest(Cells(), size=160)
    assert not weighs(plain)
    assert weighs(network(Attention(3), Grid()))


def test_colours_say_less_and_more_and_lie_where_the_cells_do() -> None:
    heat = torch.tensor([[0.0, 1.0, 2.0, 5.0]])
    shown = coloured(Image.new("RGB", (400, 20), "#ff0000"), heat)
    grey = Image.new("RGB", (1, 1), "#ff0000").convert("L").getpixel((0, 0))
    for x, colour in ((5, LESS), (150, ALIKE), (395, MORE)):
        wanted = [(grey + channel) / 2 for channel in ImageColor.getrgb(colour)]
        assert shown.getpixel((x, 10)) == pytest.approx(wanted, abs=6)
