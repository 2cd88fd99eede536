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

from deepret.data.catalogue import Catalogue
from deepret.data.photo import Box
from deepret.models.input.base import Input
from deepret.models.input.longer import Longer
from deepret.models.input.square import Square
from deepret.training.proposals import map_cache
from deepret.training.proposals.map_cache import Cached, ShapeBatches, Variants, cache_maps, vary

RED = (255, 0, 0)
SEEDS = st.integers(0, 2**32 - 1)


def with_rectangle(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", (width, height), (0, 40, 80))
    image.paste(RED, box)
    return image


def shares(box: tuple[float, ...], width: int, height: int) -> list[float]:
    return [box[0] / width, box[1] / height, box[2] / width, box[3] / height]


def red_box(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The obvious twin: where the red pixels are."""
    rows, columns = np.nonzero((np.asarray(image) == RED).all(axis=2))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


class Averages(nn.Module):
    """A network whose maps are the mean colours of 8 × 8 pixels."""

    def __init__(self, input: Input) -> None:
        super().__init__()
        self.input = input
        self.batches: list[int] = []

    def maps(self, images: Tensor) -> Tensor:
        assert not self.training
        self.batches.append(len(images))
        return F.avg_pool2d(images.float(), 8)


def longer(size: int = 64, upscale: bool = True) -> Longer:
    return Longer([0.0] * 3, [1.0] * 3, size=size, multiple=8, upscale=upscale)


@pytest.fixture
def photographs(tmp_path: Path) -> tuple[Catalogue, list[list[Box]]]:
    """Six photographs of two shapes, of which all but the last have a red rectangle in a known box."""
    sizes, boxes = [], []
    for i in range(6):
        width, height = (128, 96) if i % 2 else (96, 128)
        box = (16 * i % 48, 8 * i, 16 * i % 48 + 40, 8 * i + 32)
        image = with_rectangle(width, height, box if i < 5 else (0, 0, 0, 0))
        image.save(tmp_path / f"{i}.png")
        sizes.append((width, height))
        boxes.append([tuple(map(float, box))] if i < 5 else [])
    n = len(sizes)
    names = [f"{i}.png" for i in range(n)]
    return Catalogue(tmp_path, names, ["a"] * n, ["train"] * n, sizes, boxes, [False] * n), boxes  # type: ignore[arg-type]


@given(SEEDS, st.integers(0, 59), st.integers(0, 39), st.integers(1, 60), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_the_box_follows_its_object(seed: int, x: int, y: int, w: int, h: int) -> None:
    box = (x, y, min(x + w, 60), min(y + h, 40))
    image = with_rectangle(60, 40, box)
    varied, boxes = vary(image, torch.tensor([shares(box, 60, 40)]), np.random.default_rng(seed))
    seen = red_box(varied)
    red = 0 if seen is None else (seen[2] - seen[0]) * (seen[3] - seen[1])
    visible = red / ((box[2] - box[0]) * (box[3] - box[1]))
    if abs(visible - 0.5) < 1e-6:  # either answer is right at the border
        return
    assert len(boxes) == (visible > 0.5)
    if len(boxes) and seen is not None:
        assert boxes[0].tolist() == pytest.approx(shares(seen, *varied.size), abs=1e-5)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_crop_keeps_40_to_100_percent(seed: int) -> None:
    varied, _ = vary(Image.new("RGB", (300, 200)), torch.empty(0, 4), np.random.default_rng(seed))
    assert 0.395 <= varied.width * varied.height / 60_000 <= 1


def test_variation_takes_one_pixel_and_no_box() -> None:
    varied, boxes = vary(Image.new("RGB", (1, 1)), torch.empty(0, 4), np.random.default_rng(0))
    assert varied.size == (1, 1)
    assert boxes.shape == (0, 4)


def test_variation_is_the_random_numbers() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    boxes = torch.tensor([[0.2, 0.2, 0.8, 0.8], [0.4, 0.1, 0.9, 0.7]])
    (one, found), (again, same), (other, _) = (vary(image, boxes, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.tobytes() == again.tobytes()
    assert torch.equal(found, same)
    assert one.tobytes() != other.tobytes()


def test_boxes_keep_their_order() -> None:
    boxes = torch.tensor([[0.40, 0.40, 0.60, 0.60], [0.45, 0.45, 0.50, 0.50], [0.4, 0.4, 0.55, 0.6]])
    for seed in range(30):
        _, found = vary(Image.new("RGB", (200, 200)), boxes, np.random.default_rng(seed))
        if len(found) == 3:
            sides = (found[:, 2] - found[:, 0]).tolist()
            assert sides[0] > sides[2] > sides[1]


@pytest.mark.parametrize(
    "input", [longer(), longer(upscale=False), longer(400, upscale=False), Square([0.0] * 3, [1.0] * 3, 64)]
)
def test_the_first_variant_is_what_the_network_sees(
    photographs: tuple[Catalogue, list[list[Box]]], input: Input
) -> None:
    catalogue, boxes = photographs
    images = Variants(catalogue, boxes, 2, input, seed=3)
    assert len(images) == 12
    for row in range(6):
        image, found = images[2 * row]
        assert torch.equal(image, input.tensor(catalogue.photo(row)))
        for box, share in zip(boxes[row], found.tolist(), strict=True):
            assert share == pytest.approx(shares(box, *catalogue.sizes[row]))


def test_a_varied_image_has_the_shape_that_the_input_gives_its_crop(
    photographs: tuple[Catalogue, list[list[Box]]],
) -> None:
    catalogue, boxes = photographs
    square = Variants(catalogue, boxes, 3, Square([0.0] * 3, [1.0] * 3, 64), seed=3)
    assert all(square[i][0].shape == (3, 64, 64) for i in range(len(square)))
    small = Variants(catalogue, boxes, 8, longer(400, upscale=False), seed=3)
    sides = [max(small[i][0].shape) for i in range(len(small))]
    assert max(sides) <= 128  # a crop is not enlarged either
    assert min(sides) < 128


def test_a_variant_is_the_same_each_time(photographs: tuple[Catalogue, list[list[Box]]]) -> None:
    catalogue, boxes = photographs
    images, again, other = (Variants(catalogue, boxes, 3, longer(), seed=s) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for i in range(18) for a, b in zip(images[i], again[i], strict=True))
    assert any(images[i][0].shape != other[i][0].shape or not torch.equal(images[i][0], other[i][0]) for i in (1, 2))


def test_photographs_alike_vary_in_their_own_ways(tmp_path: Path) -> None:
    with_rectangle(96, 64, (20, 20, 60, 50)).save(tmp_path / "same.png")
    alike = Catalogue(tmp_path, ["same.png"] * 3, ["a"] * 3, ["train"] * 3, [(96, 64)] * 3, [[]] * 3, [False] * 3)  # type: ignore[arg-type]
    images = Variants(alike, [[(20.0, 20.0, 60.0, 50.0)]] * 3, 4, longer(), seed=1)
    assert len({images[i][0].numpy().tobytes() for i in range(12) if i % 4}) == 9
    assert len({images[i][0].numpy().tobytes() for i in (0, 4, 8)}) == 1


def cached(photographs: tuple[Catalogue, list[list[Box]]], workers: int = 0) -> tuple[Cached, Averages]:
    network = Averages(longer())
    catalogue, boxes = photographs
    found = cache_maps(
        network,  # type: ignore[arg-type]
        catalogue,
        boxes,
        variants=3,
        seed=5,
        workers=workers,
        device=torch.device("cpu"),
        name="maps",
        folder=catalogue.root,
    )
    return found, network


def test_cached_boxes_find_their_objects_on_the_maps(photographs: tuple[Catalogue, list[list[Box]]]) -> None:
    found, network = cached(photographs)
    assert len(found) == len(found.boxes) == 18
    assert network.training  # as it was before
    checked = 0
    for maps, boxes in zip(found.maps, found.boxes, strict=True):
        assert maps.dtype == torch.float16
        for x0, y0, x1, y1 in boxes.tolist():
            assert 0 <= x0 < x1 <= maps.shape[2]
            assert 0 <= y0 < y1 <= maps.shape[1]
            inside = maps[0, int(np.ceil(y0)) : int(y1), int(np.ceil(x0)) : int(x1)]  # whole cells of red
            assert inside.numel() == 0 or inside.min() > 200
            outside = maps[0].clone()
            outside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 0
            assert outside.max() < 60  # resampling smears a little over the border
            checked += inside.numel() > 0
    assert checked >= 8


def test_maps_computed_together_are_those_computed_alone(photographs: tuple[Catalogue, list[list[Box]]]) -> None:
    found, network = cached(photographs)
    assert max(network.batches) > 1
    images = Variants(*photographs, 3, longer(), seed=5)
    for item, (maps, boxes) in enumerate(zip(found.maps, found.boxes, strict=True)):
        image, share = images[item]
        alone = network.eval().maps(image[None])[0]
        assert torch.equal(maps, alone.half())
        assert torch.allclose(boxes, share * torch.tensor([alone.shape[2], alone.shape[1]] * 2))


def test_workers_change_nothing(photographs: tuple[Catalogue, list[list[Box]]]) -> None:
    here, there = cached(photographs)[0], cached(photographs, workers=2)[0]
    assert all(torch.equal(a, b) for a, b in zip(here.maps + here.boxes, there.maps + there.boxes, strict=True))


def test_no_photograph_has_no_map(tmp_path: Path) -> None:
    found, _ = cached((Catalogue(tmp_path, [], [], [], [], [], []), []))
    assert len(found) == 0


def test_large_files_are_said(
    photographs: tuple[Catalogue, list[list[Box]]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cached(photographs)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(map_cache, "LARGE", 1)
    found, _ = cached(photographs)
    [line] = capsys.readouterr().out.splitlines()
    assert f"maps: {2 * sum(m.numel() for m in found.maps) / 1e9:.1f} GB on disk in {photographs[0].root}" in line


SHAPES = [(8, 4, 6)] * 7 + [(8, 6, 4)] * 3 + [(8, 5, 5)]


@pytest.mark.parametrize("size", [1, 2, 4, 20])
def test_an_epoch_holds_every_map_once_in_batches_of_one_shape(size: int) -> None:
    batches = ShapeBatches(SHAPES, size, seed=0)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    assert sorted(d.index for batch in drawn for d in batch) == list(range(11))
    for batch in drawn:
        assert 1 <= len(batch) <= size
        assert len({SHAPES[d.index] for d in batch}) == 1


def test_epochs_differ_and_repeat() -> None:
    def drawn(seed: int, epoch: int) -> list[list[int]]:
        batches = ShapeBatches(SHAPES, 2, seed)
        batches.set_epoch(epoch)
        assert all(d.epoch == epoch for batch in batches for d in batch)
        return [[d.index for d in batch] for batch in batches]

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2)
    assert drawn(0, 1) != drawn(1, 1)


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (3, 3), (100, 7), (None, 7)])
def test_a_limit_caps_the_batches(limit: int | None, count: int) -> None:
    batches = ShapeBatches(SHAPES, 2, seed=0, limit=limit)
    assert len(batches) == len(list(batches)) == count
