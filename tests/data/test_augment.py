"""What training does to an image depends on its random numbers alone, and shows nothing but the image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepret.config import conf_dir
from deepret.data.augment import (
    LUMA,
    Augmentation,
    badly_compressed,
    blurred,
    crop_box,
    in_perspective,
    recolour,
    rounded_shape,
    without_colour,
)
from deepret.data.photo import Photo
from deepret.models.input.longer import Longer
from deepret.models.input.square import Square
from deepret.parts import build

NOTHING = {
    **{"crop_area": 1.0, "zoom": 1.0, "flip": 0.0, "colour": 0.0, "grey": 0.0, "blur": 0.0},
    **{"view_area": 1.0, "view_perspective": 0.0, "view_colour": 0.0},
    **{"view_grey": 0.0, "view_blur": 0.0, "view_jpeg": 0.0},
}


def smooth(width: int = 80, height: int = 60) -> Image.Image:
    """A photograph of slow changes of colour."""
    coarse = np.random.default_rng(3).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# Crops ----------------------------------------------------------------------------------------------------------------

SIDE = st.integers(16, 2000)


@given(SIDE, SIDE, st.integers(32, 600), st.sampled_from([1, 16, 32]))
def test_shapes_are_multiples_nearest_to_the_aspect(width: int, height: int, size: int, multiple: int) -> None:
    h, w = rounded_shape(width, height, size, multiple)
    assert h % multiple == w % multiple == 0
    for side, of in ((h, height), (w, width)):
        wanted = of * size / max(width, height)
        assert abs(side - wanted) <= multiple / 2 + 1e-6 or side == multiple
    assert (h, w) == Longer([0.5] * 3, [0.5] * 3, size, multiple).shape(width, height)  # evaluation has the same


@given(SIDE, SIDE, st.floats(0.1, 10), st.floats(0.05, 1), st.integers(0, 99))
def test_a_crop_lies_inside_and_keeps_its_share(width: int, height: int, aspect: float, area: float, seed: int) -> None:
    x0, y0, x1, y1 = crop_box(width, height, aspect, area, rng(seed))
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    kept = (x1 - x0) * (y1 - y0) / (width * height)
    assert area - 1e-6 <= kept <= 1 + 1e-6
    best = max(aspect * height / width, width / height / aspect)  # ≥ 1: how far the photograph is from that aspect
    if kept * best <= 1 - 1e-6:  # a box of that area and aspect fits
        assert math.isclose((x1 - x0) / (y1 - y0), aspect, rel_tol=1e-6)
    else:
        assert math.isclose(x1 - x0, width, rel_tol=1e-6) or math.isclose(y1 - y0, height, rel_tol=1e-6)


def test_crops_are_everywhere_and_of_every_size() -> None:
    boxes = np.array([crop_box(300, 200, 1.5, 0.5, rng(i)) for i in range(2000)])
    kept = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 60_000
    assert np.abs(np.quantile(kept, [0, 0.5, 1]) - [0.5, 0.75, 1]).max() < 0.03
    spare = 300 - (boxes[:, 2] - boxes[:, 0])
    assert abs(np.median(boxes[:, 0] / spare) - 0.5) < 0.05


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 60), (60, 80), (100, 37), (33, 33)])
def test_nothing_done_is_what_evaluation_sees(tmp_path: Path, view: bool, width: int, height: int) -> None:
    smooth(width, height).save(tmp_path / "photo.png")
    expected = Longer([0.5] * 3, [0.5] * 3, 64, 16).tensor(Photo(tmp_path / "photo.png"))
    found = Augmentation(**NOTHING)(smooth(width, height), 64, 16, view, rng(0))
    assert found.shape == expected.shape
    assert torch.equal(found, expected)


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 60), (60, 80), (100, 37), (33, 33)])
def test_nothing_done_to_a_square_is_what_evaluation_sees(tmp_path: Path, view: bool, width: int, height: int) -> None:
    smooth(width, height).save(tmp_path / "photo.png")
    square = Square([0.5] * 3, [0.5] * 3, 64, 16)
    found = Augmentation(**NOTHING)(smooth(width, height), 64, 16, view, rng(0), square.resized)
    assert torch.equal(found, square.tensor(Photo(tmp_path / "photo.png")))


@pytest.mark.parametrize("view", [False, True])
def test_crops_of_a_square_are_squeezed_as_the_whole_photograph_is(view: bool) -> None:
    ramps = np.zeros((90, 150, 3), np.uint8)
    ramps[..., 0], ramps[..., 1] = np.arange(150), np.arange(90)[:, None]
    augmentation = Augmentation(**{**NOTHING, "crop_area": 0.6, "view_area": 0.6})
    squeezed, shown = [], set()
    for i in range(20):
        made = augmentation(Image.fromarray(ramps), 64, 1, view, rng(i), Square.resized).double()
        assert made.shape == (3, 64, 64)
        across, down = ((made[0, :, -2] - made[0, :, 1]).mean(), (made[1, -2] - made[1, 1]).mean())
        squeezed.append(float(across / down))  # pixels of the photograph along each side
        shown.add(round(float(across)))
    assert len(shown) > 10
    assert squeezed == pytest.approx([150 / 90] * 20, rel=0.04)


@given(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(0, 0.4), st.booleans())
def test_photographs_are_decoded_large_enough_for_their_least_crop(
    crop: float, area: float, turn: float, view: bool
) -> None:
    side = Augmentation(crop_area=crop, view_area=area, view_perspective=turn).side(288, view)
    kept = area * (1 - turn) ** 2 if view else crop
    assert (side - 1) ** 2 * kept < 288**2 <= side**2 * kept * (1 + 1e-9)


# Perspective ----------------------------------------------------------------------------------------------------------


def pulled(image: np.ndarray, corners: np.ndarray, width: int, height: int) -> np.ndarray:
    """The slow twin: each pixel's place in the quadrilateral by the homography, then bilinear between four pixels."""
    target = [(0, 0), (width, 0), (width, height), (0, height)]
    rows, values = [], []
    for (u, v), (x, y) in zip(target, corners, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -u * x, -v * x], [0, 0, 0, u, v, 1, -u * y, -v * y]]
        values += [x, y]
    h = np.append(np.linalg.solve(np.array(rows, float), np.array(values, float)), 1).reshape(3, 3)
    found = np.zeros((height, width, 3))
    for v in range(height):
        for u in range(width):
            x, y, w = h @ (u + 0.5, v + 0.5, 1)
            x, y = np.clip(x / w - 0.5, 0, image.shape[1] - 1), np.clip(y / w - 0.5, 0, image.shape[0] - 1)
            i, j = min(int(x), image.shape[1] - 2), min(int(y), image.shape[0] - 2)
            a, b = x - i, y - j
            for di, dj, share in ((0, 0, (1 - a) * (1 - b)), (1, 0, a * (1 - b)), (0, 1, (1 - a) * b), (1, 1, a * b)):
                found[v, u] += share * image[j + dj, i + di]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_perspective_is_that_of_the_slow_twin(seed: int) -> None:
    image, moves = smooth(60, 45), rng(seed).uniform(0, 0.3, (4, 2))
    found = in_perspective(image, (0, 0, 60, 45), moves, 40, 30)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    corners = (np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) + inward * moves) * (60, 45)
    difference = np.abs(found - pulled(np.asarray(image, float), corners, 40, 30))
    assert difference.mean() < 1
    assert difference.max() < 6  # OpenCV interpolates in steps of 1/32 pixel


@given(st.integers(0, 999), st.floats(0, 0.49), st.integers(20, 60), st.integers(20, 60))
def test_a_view_shows_nothing_beyond_its_crop(seed: int, strength: float, width: int, height: int) -> None:
    random = rng(seed)
    x0, y0 = random.integers(0, 40, 2)
    x1, y1 = random.integers(x0 + 10, 101), random.integers(y0 + 10, 81)
    pixels = np.full((80, 100, 3), (255, 0, 255), np.uint8)
    x, y = math.ceil((x1 - x0) / width) + 1, math.ceil((y1 - y0) / height) + 1  # what a pixel of the result averages
    pixels[max(y0 - y, 0) : y1 + y, max(x0 - x, 0) : x1 + x] = (0, 200, 0)
    box = (float(x0), float(y0), float(x1), float(y1))
    found = in_perspective(Image.fromarray(pixels), box, random.uniform(0, strength, (4, 2)), width, height)
    assert found.shape == (height, width, 3)
    assert (found == (0, 200, 0)).all()


# Colour ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
def test_colours_change_by_the_formula(strength: float) -> None:
    pixels, image = np.asarray(smooth(12, 9)), np.asarray(smooth(12, 9), float)
    for seed in range(20):
        random = rng(seed)
        brightness, contrast, saturation = random.uniform(1 - strength, 1 + strength, 3)
        light = random.uniform(1 - strength / 3, 1 + strength / 3, 3)
        mean = brightness * sum(w * image[..., c].mean() for c, w in enumerate(LUMA))
        expected = np.zeros_like(image)
        for y in range(9):
            for x in range(12):
                lit = [contrast * (brightness * light[c] * image[y, x, c] - mean) + mean for c in range(3)]
                lit = [round(min(max(v, 0), 255)) for v in lit]
                own = sum(w * v for w, v in zip(LUMA, lit, strict=True))
                expected[y, x] = [min(max(saturation * (v - own) + own, 0), 255) for v in lit]
        found = recolour(pixels, strength, rng(seed))
        assert found.dtype == np.uint8
        assert np.abs(found - expected).max() <= 1.5


def test_colours_stay_where_they_should() -> None:
    pixels = np.asarray(smooth())
    assert (recolour(pixels, 0.0, rng(0)) == pixels).all()
    grey = without_colour(pixels)
    assert (grey == grey[..., :1]).all()
    assert np.abs(grey[..., 0] - pixels @ LUMA).max() <= 1
    assert (without_colour(grey) == grey).all()


def test_blur_and_compression_keep_the_picture_and_lose_its_detail() -> None:
    pixels = rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    soft = blurred(pixels, 1.5)
    assert soft.std() < 0.4 * pixels.std()
    assert abs(soft.mean() - pixels.mean()) < 1
    picture = np.asarray(smooth())
    few, many = badly_compressed(picture, 20), badly_compressed(picture, 95)
    errors = [np.abs(p.astype(int) - picture).mean() for p in (few, many)]
    assert errors[1] < errors[0] < 12  # red stays red


# Altogether -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [False, True])
def test_the_same_random_numbers_give_the_same_image(view: bool) -> None:
    augmentation = Augmentation(flip=0.5, zoom=0.8)
    made = [augmentation(smooth(), 64, 16, view, rng(0, 1, 2, draw)) for draw in (0, 1, 0)]
    np.random.default_rng(5).random()
    torch.rand(3)
    assert torch.equal(made[0], made[2])
    assert not torch.equal(made[0], made[1])
    assert made[0].dtype == torch.uint8
    assert made[0].is_contiguous()


@pytest.mark.parametrize("view", [False, True])
def test_shapes_do_not_depend_on_chance(view: bool) -> None:
    shapes = {tuple(Augmentation()(smooth(100, 70), 96, 32, view, rng(i)).shape) for i in range(20)}
    assert shapes == {(3, 64, 96)}
    zoomed = {tuple(Augmentation(zoom=0.3)(smooth(100, 70), 96, 32, False, rng(i)).shape) for i in range(40)}
    assert zoomed == {(3, 64, 96), (3, 32, 64), (3, 32, 32), (3, 64, 64)} & zoomed
    assert len(zoomed) > 1


def test_views_change_more_than_labelled_photographs() -> None:
    plain = Augmentation(**NOTHING)(smooth(), 64, 16, False, rng(0)).float()
    changes = [
        np.mean([(Augmentation()(smooth(), 64, 16, view, rng(i)).float() - plain).abs().mean() for i in range(30)])
        for view in (False, True)
    ]
    assert 3 < changes[0] < 0.7 * changes[1]


def test_mirrored() -> None:
    one, other = (Augmentation(**{**NOTHING, "flip": flip})(smooth(), 64, 16, False, rng(0)) for flip in (0.0, 1.0))
    assert torch.equal(one.flip(2), other)


@pytest.mark.parametrize("name", ["photo", "none"])
def test_the_configurations(name: str) -> None:
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(OmegaConf.load(conf_dir() / "augmentation" / f"{name}.yaml"))
    assert isinstance(node, dict)
    made = vars(build(node))
    assert set(node) == {"_target_", *made}  # every setting is written out
    assert made == vars(Augmentation(**({} if name == "photo" else NOTHING)))
