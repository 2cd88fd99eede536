from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn
from torchvision.ops import box_iou

from deepret.cleaning.boxes.response import Response, cell_responses, class_targets, comparable, largest_sum
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Box
from deepret.errors import UserError
from deepret.models.aggregation.sum import Sum
from deepret.models.head.l2 import L2
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.grid import Grid
from deepret.models.weighting.uniform import Uniform
from deepret.search.describe import Describer

COLOURS = [(230, 30, 30), (30, 210, 40), (40, 60, 235)]
SIZES = [(96, 72), (72, 96), (96, 96)]


class Colours(nn.Module):
    """A backbone of eight pixels a cell whose channels are six colours, each firing where its colour is."""

    def forward(self, images: Tensor) -> Tensor:
        red, green, blue = F.avg_pool2d(images, 8).unbind(1)
        pairs = [(red, green), (green, blue), (blue, red)]
        return F.relu(torch.stack([m for a, b in pairs for m in (a - b, b - a)], dim=1)) + 0.05


@pytest.fixture
def network() -> Network:
    return Network(
        input=Longer(mean=[0.0] * 3, std=[1.0] * 3, size=96, multiple=8),
        backbone=Colours(),
        regions=Grid(),
        pooling=Max(),
        projection=NoProjection(channels=6),
        weighting=Uniform(),
        aggregation=Sum(),
        head=L2(),
    )


def describer(network: Network) -> Describer:
    return Describer(network, batch_size=4, workers=0, progress=False)


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Catalogue, list[Box]]:
    """Three classes, each a square of one colour somewhere on noise that all share, and where it is."""
    generator = np.random.default_rng(1)
    rows: list[tuple[str, str, tuple[int, int]]] = []
    planted: list[Box] = []
    for label, colour in enumerate(COLOURS):
        for i in range(4):
            width, height = SIZES[(label + i) % 3]
            side = 8 * int(generator.integers(3, 7))  # whole cells: a cell that shows half a square says as much
            x, y = (8 * int(generator.integers(0, (whole - side) // 8 + 1)) for whole in (width, height))
            pixels = generator.integers(60, 200, (height, width, 1)) + generator.integers(-15, 16, (height, width, 3))
            pixels[y : y + side, x : x + side] = colour
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{label}{i}.png")
            rows.append((f"{label}{i}.png", f"class {label}", (width, height)))
            planted.append((x, y, x + side, y + side))
    n = len(rows)
    paths, labels, sizes = (list(column) for column in zip(*rows, strict=True))
    splits = ["train"] * 8 + ["val"] * 4
    return Catalogue(tmp_path, paths, labels, splits, sizes, [[] for _ in range(n)], [False] * n), planted


def test_finds_what_the_images_of_a_class_share(network: Network, planted: tuple[Catalogue, list[Box]]) -> None:
    catalogue, truth = planted
    found = Response().boxes(catalogue, describer(network))
    assert [len(boxes) for boxes in found] == [1] * len(catalogue)
    overlaps = box_iou(torch.tensor([b[0] for b in found]), torch.tensor(truth)).diagonal()
    assert overlaps.min() > 0.55
    assert overlaps.mean() > 0.75
    for (x0, y0, x1, y1), (width, height) in zip((b[0] for b in found), catalogue.sizes, strict=True):
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height


def test_only_labelled_photographs_with_company_get_a_box(
    network: Network, planted: tuple[Catalogue, list[Box]]
) -> None:
    catalogue, _ = planted
    catalogue.labels[1], catalogue.splits[1] = "", "distractor"
    catalogue.splits[2] = "test"
    catalogue.labels[4] = "alone"
    catalogue.views[5] = True
    found = Response().boxes(catalogue, describer(network))
    assert [bool(boxes) for boxes in found] == [i not in (1, 2, 4, 5) for i in range(len(catalogue))]
    assert comparable(catalogue) == [i for i, boxes in enumerate(found) if boxes]


@pytest.mark.parametrize("labels", [["", ""], ["a", "b"]])
def test_refuses_data_without_two_of_a_class(labels: list[str], network: Network) -> None:
    nothing: list[list[Box]] = [[], []]
    catalogue = Catalogue(Path("photos"), ["a", "b"], labels, ["train"] * 2, [(9, 9)] * 2, nothing, [False] * 2)
    with pytest.raises(UserError, match=r"boxes=response: no class of the train split in photos"):
        Response().boxes(catalogue, describer(network))


def slow_largest_sum(values: Tensor, least: float) -> tuple[float, list[tuple[int, int, int, int]]]:
    """Tries every box; gives the largest sum and all boxes that have it."""
    height, width = values.shape
    tall, wide = max(1, round(least * height)), max(1, round(least * width))
    sums = {}
    for y0 in range(height):
        for y1 in range(y0 + tall, height + 1):
            for x0 in range(width):
                for x1 in range(x0 + wide, width + 1):
                    sums[x0, y0, x1, y1] = values[y0:y1, x0:x1].double().sum().item()
    best = max(sums.values())
    return best, [box for box, total in sums.items() if abs(total - best) < 1e-9]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.05, 0.3, 0.6, 0.95]), st.integers(0, 99), st.booleans())
def test_largest_sum_is_the_one_that_trying_every_box_finds(
    height: int, width: int, least: float, seed: int, rounded: bool
) -> None:
    values = torch.randn(2, height, width, generator=torch.Generator().manual_seed(seed))
    values = values.round() if rounded else values  # whole numbers make ties
    for box, image in zip(largest_sum(values, least).tolist(), values, strict=True):
        assert tuple(box) in slow_largest_sum(image, least)[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_higher_level_makes_no_larger_box(seed: int, one: float, other: float) -> None:
    responses = torch.rand(1, 7, 9, generator=torch.Generator().manual_seed(seed)).square()

    def area(level: float) -> float:
        x0, y0, x1, y1 = Response(level=level, least=0.01).best(responses)[0].tolist()
        return (x1 - x0) * (y1 - y0)

    low, high = sorted([one, other])
    assert area(high) <= area(low) + 1e-6


@pytest.mark.parametrize("fine", [1, 4])
def test_best_holds_a_planted_block(fine: int) -> None:
    responses = torch.full((2, 12, 16), 0.01)
    responses[0, 3:8, 5:11] = 1.0
    responses[1, 6:12, 0:4] = 1.0
    wanted = torch.tensor([[5 / 16, 3 / 12, 11 / 16, 8 / 12], [0, 6 / 12, 4 / 16, 1]])
    assert (Response(fine=fine).best(responses) - wanted).abs().max() < 0.5 / 12


def test_targets_are_the_class_without_the_image_itself() -> None:
    codes = F.normalize(torch.randn(7, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = [4, 2, 4, 4, 2, 9, 9]
    found = class_targets(codes, torch.tensor(labels))
    for i, label in enumerate(labels):
        others = sum(codes[j] for j in range(7) if labels[j] == label and j != i)
        assert isinstance(others, Tensor)
        wanted = others / others.norm() - codes.mean(dim=0)
        torch.testing.assert_close(found[i], wanted / wanted.norm())


def test_responses_are_the_cosines_of_single_cells(network: Network) -> None:
    maps = torch.rand(2, 6, 3, 4, generator=torch.Generator().manual_seed(0))
    targets = F.normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(1)), dim=1)
    found = cell_responses(network, maps, targets)
    for b in range(2):
        for y in range(3):
            for x in range(4):
                cosine = maps[b, :, y, x] @ targets[b] / maps[b, :, y, x].norm()
                torch.testing.assert_close(found[b, y, x], cosine)
