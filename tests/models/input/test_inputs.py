"""Inputs: the shape that is announced is the shape that comes, at the right place and scale."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepret.data.photo import Box, Photo
from deepret.errors import UserError
from deepret.models.input.base import Input, View
from deepret.models.input.longer import Longer
from deepret.models.input.square import Square

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def longer(**settings: object) -> Longer:
    return Longer(MEAN, STD, **settings)  # type: ignore[arg-type]


def photograph(folder: Path, width: int, height: int, name: str = "photo.png") -> Path:
    """Red grows to the right and green downwards, so that a place shows in its colour."""
    ramp = np.zeros((height, width, 3), dtype=np.uint8)
    ramp[..., 0] = np.linspace(0, 255, width)[None, :]
    ramp[..., 1] = np.linspace(0, 255, height)[:, None]
    Image.fromarray(ramp).save(folder / name, quality=95)
    return folder / name


@given(
    st.integers(1, 3000), st.integers(1, 3000), st.integers(16, 700), st.sampled_from([1, 14, 16, 32]), st.booleans()
)
def test_longer_keeps_the_aspect_to_half_a_multiple(
    width: int, height: int, size: int, multiple: int, upscale: bool
) -> None:
    h, w = longer(size=size, multiple=multiple, upscale=upscale).shape(width, height)
    factor = (size if upscale else min(size, max(width, height))) / max(width, height)
    for got, want in ((h, height * factor), (w, width * factor)):
        assert got % multiple == 0
        assert got >= multiple
        assert got == multiple or abs(got - want) <= multiple / 2 + 1e-6


def test_longer_by_hand() -> None:
    assert longer(size=512).shape(1024, 768) == (384, 512)
    assert longer(size=512).shape(100, 50) == (256, 512)
    assert longer(size=512, upscale=False).shape(100, 50) == (48, 96)
    assert longer(size=512).shape(20000, 10) == (16, 512)
    assert longer(size=512).shape(1024, 768, (0, 0, 512, 768)) == (384, 256)
    assert longer(size=512).shape(1024, 768, (-50, 0, 512, 900)) == (384, 256)


def test_square_is_square() -> None:
    assert Square(MEAN, STD, size=224).shape(1024, 768) == (224, 224)
    assert Square(MEAN, STD, size=224).shape(1024, 768, (0, 0, 10, 700)) == (224, 224)
    assert Square(MEAN, STD, size=100, multiple=32).shape(5, 9) == (96, 96)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(16, 700), st.sampled_from([1, 14, 16, 32]))
def test_training_asks_for_the_shape_that_evaluation_has(width: int, height: int, size: int, multiple: int) -> None:
    for make in (Longer, Square):
        part = make(MEAN, STD, size=size, multiple=multiple)
        assert part.resized(width, height, size, multiple) == part.shape(width, height)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
@pytest.mark.parametrize("make", [Longer, Square])
@pytest.mark.parametrize("box", [None, (300.0, 200.0, 900.0, 500.0), (-10.0, -10.0, 700.5, 300.0)])
def test_the_tensor_shows_the_crop(tmp_path: Path, name: str, make: type[Input], box: Box | None) -> None:
    path = photograph(tmp_path, 1200, 600, name)
    part = make(MEAN, STD, size=128)
    pixels = part.tensor(Photo(path, box))
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous()
    assert tuple(pixels.shape) == (3, *part.shape(1200, 600, box))
    x0, y0, x1, y1 = box or (0, 0, 1200, 600)
    x0, y0 = max(x0, 0), max(y0, 0)
    h, w = pixels.shape[1:]
    for i in (0, w // 2, w - 1):
        assert abs(float(pixels[0, h // 2, i]) - 255 * (x0 + (i + 0.5) * (x1 - x0) / w) / 1200) < 4
    for j in (0, h // 2, h - 1):
        assert abs(float(pixels[1, j, w // 2]) - 255 * (y0 + (j + 0.5) * (y1 - y0) / h) / 600) < 4


def test_a_crop_has_the_scale_of_its_photograph(tmp_path: Path) -> None:
    """One object: as large in the crop as in the whole photograph."""
    path = photograph(tmp_path, 1200, 600)
    part = longer(size=192)
    whole, crop = part.tensor(Photo(path)), part.tensor(Photo(path, (200.0, 100.0, 600.0, 400.0)))
    assert crop.shape == (3, 48, 64)
    same = whole[:, 16:64, 32:96].float()
    assert (same - crop.float()).abs().max() <= 4  # the borders see other neighbours


@pytest.mark.parametrize("box", [(1300.0, 0.0, 1400.0, 10.0), (5.0, 5.0, 5.0, 9.0), (0.0, -20.0, 9.0, 0.0)])
def test_refuses_a_box_outside_the_photograph(tmp_path: Path, box: Box) -> None:
    path = photograph(tmp_path, 1200, 600)
    with pytest.raises(UserError, match=r"photo.png: the box .* lies outside the photograph of 1200 × 600"):
        longer(size=64).tensor(Photo(path, box))


@pytest.mark.parametrize("size", [(1, 1), (2000, 1), (3, 900)])
def test_odd_photographs(tmp_path: Path, size: tuple[int, int]) -> None:
    path = photograph(tmp_path, *size)
    assert longer(size=64).tensor(Photo(path)).shape[1:] == longer(size=64).shape(*size)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_normalises(dtype: torch.dtype) -> None:
    images = torch.randint(0, 256, (2, 3, 4, 5)).to(dtype)
    found = longer()(images)
    assert found.dtype == torch.float32
    for c in range(3):
        assert torch.allclose(found[:, c], (images[:, c].float() / 255 - MEAN[c]) / STD[c], atol=1e-5)


def test_pyramid() -> None:
    images = torch.rand(1, 3, 64, 96)
    pyramid = longer(scales=[0.5, 1.0, 2**0.5])
    half, same, double = (pyramid.seen(images, view) for view in pyramid.views)
    assert same is images
    assert half.shape[-2:] == (32, 48)
    assert double.shape[-2:] == (96, 16 * math.floor(96 * 2**0.5 / 16 + 0.5))
    constant = longer().seen(torch.full((1, 3, 64, 96), 0.7), View(0.5, False))
    assert torch.allclose(constant, torch.tensor(0.7))
    assert torch.allclose(half.mean(), images.mean(), atol=0.01)
    assert torch.equal(pyramid.seen(images, View(0.5, True)), half.flip(3))


def test_codes_of_views_count_alike_whatever_their_lengths() -> None:
    one, two = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.1, 0.0]])
    largest = torch.tensor([[1.0, 0.8]])  # of (0.6, 0.8) and (1, 0)
    assert torch.allclose(longer(merge="max").merged([one, two]), largest / largest.norm())
    summed = torch.tensor([[1.6, 0.8]])
    heads = [code / code.norm() for code in (one, two)]  # as a head gives them
    assert torch.allclose(longer().merged(heads), summed / summed.norm())


def test_views() -> None:
    assert longer().views == [View(1.0, False)]
    assert longer(scales=[0.5, 2.0], flip=True).views == [(0.5, False), (2.0, False), (0.5, True), (2.0, True)]
    assert longer(scales=[0.5, 1.0, 2.0], flip=True).plainest == (1.0, False)
    assert longer(scales=[0.4, 2.0]).plainest == (2.0, False)
