"""The hash is the slow transform's, and what is done to a copy hardly changes it."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from data.pictures import picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deepret.data.duplicates.fingerprint import BITS, LOW, SIDE, fingerprint, packed


def apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def slow_fingerprint(image: Image.Image) -> str:
    """Each coefficient as its sum over all pixels; the bits one by one."""
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), float)
    values = []
    for u in range(LOW):
        for v in range(LOW):
            total = 0.0
            for y in range(SIDE):
                wave = math.cos(math.pi * (2 * y + 1) * u / (2 * SIDE))
                for x in range(SIDE):
                    total += grey[y, x] * wave * math.cos(math.pi * (2 * x + 1) * v / (2 * SIDE))
            values.append(total * math.sqrt((1 + (u > 0)) * (1 + (v > 0))) / SIDE)
    values = values[1:]
    middle = sorted(values)[len(values) // 2]
    bits = "".join("1" if value > middle else "0" for value in values) + "0"
    return f"{int(bits, 2):0{BITS // 4}x}"


def test_the_hash_is_the_slow_transforms() -> None:
    for seed in range(2):
        assert fingerprint(picture(seed)) == slow_fingerprint(picture(seed))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), quality=st.integers(60, 95), scale=st.floats(0.5, 2))
def test_another_size_and_compression_are_near(seed: int, quality: int, scale: float) -> None:
    image = picture(seed)
    file = io.BytesIO()
    size = (round(image.width * scale), round(image.height * scale))
    image.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=quality)
    assert apart(fingerprint(image), fingerprint(Image.open(file))) <= 40


@given(seed=st.integers(0, 10_000), other=st.integers(0, 10_000))
def test_other_pictures_are_far_and_distance_has_no_direction(seed: int, other: int) -> None:
    one, two = fingerprint(picture(seed)), fingerprint(picture(other))
    assert apart(one, two) == apart(two, one)
    assert (apart(one, two) == 0) if seed == other else (apart(one, two) > 60)


@pytest.mark.parametrize("noise", [0, 3])
def test_flat_pictures_have_none(noise: float) -> None:
    pixels = 128 + noise * np.random.default_rng(0).normal(size=(60, 80))
    assert fingerprint(Image.fromarray(pixels.astype(np.uint8))) == ""


def test_packed_bits_are_the_hashes() -> None:
    hashes = [fingerprint(picture(seed)) for seed in range(3)]
    found = packed(hashes)
    assert found.shape == (3, BITS // 8)
    assert [row.tobytes().hex() for row in found] == hashes
    assert all(int(text, 16).bit_count() == 127 for text in hashes)  # above the median of 255
