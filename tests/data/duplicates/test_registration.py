"""Copies are alike whatever was done to them; other pictures, and another place to stand, are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from data.pictures import picture
from PIL import Image

from deepret.data.duplicates import registration
from deepret.data.duplicates.pairs import SIMILAR
from deepret.data.duplicates.registration import APART, BLOCK, SIDE, grey, similarity


def slow_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Of pictures that lie upon each other: block by block."""
    first, second = (cv2.GaussianBlur(image, (0, 0), 1.0) for image in (first, second))
    found = []
    for y in range(0, SIDE, BLOCK):
        for x in range(0, SIDE, BLOCK):
            a, b = (image[y : y + BLOCK, x : x + BLOCK].astype(float).ravel() for image in (first, second))
            if max(a.std(), b.std()) >= 3:
                found.append(np.corrcoef(a, b)[0, 1])
    return float(np.median(found))


def small(image: Image.Image, folder: Path, name: str = "a.png") -> np.ndarray:
    image.save(folder / name)
    return grey(folder / name)


def marked(image: Image.Image) -> Image.Image:
    pixels = np.array(image)
    pixels[-18:-8, -64:-8] = 255
    return Image.fromarray(pixels)


COPIES = {
    "itself": lambda image: image,
    "another size": lambda image: image.resize((161, 119), Image.Resampling.LANCZOS),
    "cut off": lambda image: image.crop((7, 5, 196, 147)),
    "cut off one side": lambda image: image.crop((0, 0, 170, 150)),
    "darker": lambda image: image.point(lambda v: round(0.7 * v)),
    "marked": marked,
    "cut off, darker and another size": lambda image: (
        image.crop((4, 3, 198, 148)).point(lambda v: round(0.7 * v)).resize((150, 99))
    ),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_alike(tmp_path: Path, change: str) -> None:
    for seed in range(3):
        image = picture(seed)
        one, two = small(image, tmp_path), small(COPIES[change](image), tmp_path, "b.png")
        assert similarity(one, two) >= SIMILAR
        assert similarity(one, two) == similarity(two, one)


def test_others_are_not(tmp_path: Path) -> None:
    for seed in range(3):
        assert similarity(small(picture(seed), tmp_path), small(picture(seed + 10), tmp_path)) < 0.7


def test_what_turns_or_shears_is_another_photograph(tmp_path: Path) -> None:
    image = picture(1)
    one = small(image, tmp_path)
    sheared = image.transform(image.size, Image.Transform.AFFINE, (1, 0.05, -4, 0, 1, 0), Image.Resampling.BICUBIC)
    for other in (image.rotate(3, Image.Resampling.BICUBIC), sheared):
        assert similarity(one, small(other, tmp_path)) < SIMILAR


def before(background: np.ndarray, thing: np.ndarray, size: int, random: np.random.Generator) -> Image.Image:
    """A thing in the middle of a scene (480, 640) that stays, each time in other light and noise."""
    found = background * random.uniform(0.95, 1.05) + random.normal(0, 3, background.shape)
    y, x = (int(side) // 2 - size // 2 + int(random.integers(-20, 20)) for side in background.shape[:2])
    found[y : y + size, x : x + size] = cv2.resize(thing, (size, size), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(found.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", [140, 160, 200, 240])
def test_another_thing_before_the_same_background_is_another_photograph(tmp_path: Path, size: int) -> None:
    """From 6 % of the picture on."""
    random = np.random.default_rng(size)
    background = cv2.GaussianBlur(random.uniform(0, 255, (480, 640, 3)).astype(np.float32), (0, 0), 6)
    background = (background - background.min()) / np.ptp(background) * 255
    things = [random.uniform(0, 255, (8, 8, 3)).astype(np.float32) for _ in range(4)]
    shots = [small(before(background, thing, size, random), tmp_path) for thing in things]
    assert [similarity(one, two) for i, one in enumerate(shots) for two in shots[:i]] == [0] * 6


@pytest.mark.parametrize(("side", "wanted"), [(APART - 1, False), (APART, True)])
@pytest.mark.parametrize("place", [0, 37, SIDE - APART])
def test_apart_are_squares_alone(side: int, wanted: bool, place: int) -> None:
    """Whether each block correlates is found pixel by pixel, here as if a block were one pixel."""
    unlike = np.zeros((SIDE, SIDE), bool)
    unlike[place : place + side, place : place + APART] = True
    everywhere, random = np.ones((SIDE, SIDE), bool), np.random.default_rng(0)
    one = random.uniform(0, 255, (SIDE, SIDE)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        answers = iter([one * 0, one * 0, one * 0 + 100, one * 0 + 100, np.where(unlike, 79.0, 81.0), everywhere])
        patch.setattr(registration, "_around", lambda image: next(answers).astype(np.float64))
        assert registration.apart(one, one, everywhere) == wanted


def test_what_says_nothing_is_like_nothing() -> None:
    flat = np.full((SIDE, SIDE), 90, np.float32)
    flat[:20, :20] = np.random.default_rng(0).integers(0, 255, (20, 20))
    assert similarity(flat, flat + 1) == 0
    assert similarity(flat, flat) == 1  # but the same file twice is a copy


def test_blocks_that_lie_upon_each_other_are_the_slow_ones(tmp_path: Path) -> None:
    one, two = small(picture(1), tmp_path), small(marked(picture(1)), tmp_path)
    assert similarity(one, one) == pytest.approx(1, abs=1e-5)
    mixed = (one + 2 * np.roll(two, 3, axis=1)) / 3
    assert similarity(one, mixed.astype(np.float32)) >= slow_similarity(one, mixed) - 1e-4
