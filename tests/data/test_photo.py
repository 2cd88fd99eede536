"""Any file that Pillow reads becomes the RGB photograph that a person sees."""

from __future__ import annotations

import io
import struct
import tempfile
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageCms

from deepret.data.photo import MAX_PIXELS, _eight_bits, open_photo, upright_size
from deepret.errors import UserError

SIDES = {  # EXIF orientation → where the first row and the first column of the stored image lie for people
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def scene(width: int = 48, height: int = 32) -> np.ndarray:
    """A smooth picture (h, w, 3) that no turn or mirror leaves as it is."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return (np.stack([x, y, (x * y) ** 0.5], axis=2) * 220 + 15).astype(np.uint8)


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores with an orientation, pixel by pixel."""
    first_row, first_column = SIDES[orientation]
    height, width = upright.shape[:2]
    turned = first_row in ("left", "right")
    found = np.zeros((width, height, 3) if turned else (height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            from_side = {"top": y, "bottom": height - 1 - y, "left": x, "right": width - 1 - x}
            found[from_side[first_row], from_side[first_column]] = upright[y, x]
    return found


def second_image() -> dict[str, object]:
    """How a phone's file is saved: with one image alone, MPO is plain JPEG."""
    return {"save_all": True, "append_images": [Image.new("RGB", (16, 16))]}


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "mpo"])
def test_every_orientation_comes_upright(tmp_path: Path, orientation: int, ending: str) -> None:
    upright, path = scene(), tmp_path / f"photo.{ending}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {
        "jpg": {"quality": 100, "subsampling": 0},
        "webp": {"lossless": True},
        "mpo": {"quality": 100, "subsampling": 0, **second_image()},
    }
    Image.fromarray(stored(upright, orientation)).save(path, exif=exif, **options.get(ending, {}))
    image = open_photo(path)
    assert image.mode == "RGB"
    assert image.size == upright_size(path) == (48, 32)
    assert np.abs(np.asarray(image).astype(int) - upright).max() <= (0 if ending in ("png", "webp", "tif") else 10)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\0"])
def test_broken_exif_spoils_no_sound_photograph(tmp_path: Path, exif: bytes) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(scene()).save(path, exif=exif)
    assert open_photo(path).size == upright_size(path) == (48, 32)


@pytest.mark.parametrize(
    ("max_side", "size"),
    [(None, (2000, 999)), (1001, (2000, 999)), (1000, (1000, 500)), (251, (500, 250)), (1, (250, 125))],
)
@pytest.mark.parametrize("kind", ["upright", "turned", "grey", "cmyk", "mpo"])
def test_a_large_jpeg_is_decoded_at_the_smallest_scale_that_suffices(
    tmp_path: Path, max_side: int | None, size: tuple[int, int], kind: str
) -> None:
    path = tmp_path / ("photo.mpo" if kind == "mpo" else "photo.jpg")
    exif, image = Image.Exif(), Image.fromarray(scene(2000, 999))
    exif[0x0112] = 1
    if kind == "turned":
        exif[0x0112], image = 6, image.transpose(Image.Transpose.ROTATE_90)
    image = image.convert({"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB"))
    image.save(path, exif=exif, **(second_image() if kind == "mpo" else {}))
    with Image.open(path) as opened:
        assert opened.format == ("MPO" if kind == "mpo" else "JPEG")
    found = open_photo(path, max_side)
    assert found.size == size
    assert upright_size(path) == (2000, 999)
    whole = open_photo(path).resize((50, 25), Image.Resampling.BOX)
    small = found.resize((50, 25), Image.Resampling.BOX)
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(small)).mean() < 2


@given(st.integers(16, 700), st.integers(16, 700), st.integers(1, 800))
def test_drafts_are_never_smaller_than_asked(width: int, height: int, max_side: int) -> None:
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        Image.new("RGB", (width, height)).save(file, "JPEG")
        file.flush()
        found = open_photo(file.name, max_side)
    larger = max(width, height)
    assert max(found.size) >= min(max_side, larger)
    scale = next(s for s in (1, 2, 4, 8) if -(-larger // s) == max(found.size))
    assert scale == 8 or larger // (2 * scale) < max_side  # half of it would not do


# Modes ----------------------------------------------------------------------------------------------------------------


def saved(image: Image.Image, path: Path, **options: object) -> np.ndarray:
    """What comes back of an image that was saved."""
    image.save(path, **options)
    found = open_photo(path)
    assert found.mode == "RGB"
    assert upright_size(path) == found.size == image.size
    return np.asarray(found).astype(int)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        ("L", "png"),
        ("L", "jpg"),
        ("1", "png"),
        ("RGB", "bmp"),
        ("P", "png"),
        ("P", "gif"),
        ("CMYK", "jpg"),
        ("CMYK", "tif"),
    ],
)
def test_modes_without_transparency(tmp_path: Path, mode: str, ending: str) -> None:
    image = Image.fromarray(scene())
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    found = saved(image, tmp_path / f"photo.{ending}")
    assert np.abs(found - np.asarray(image.convert("RGB"))).mean() < (3 if ending == "jpg" else 0.5)


def test_lab_is_read(tmp_path: Path) -> None:
    image = Image.fromarray(scene())
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    made = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert made is not None
    assert np.abs(saved(made, tmp_path / "photo.tif") - np.asarray(image)).mean() < 3


@pytest.mark.parametrize(("mode", "ending"), [("RGBA", "png"), ("RGBA", "webp"), ("RGBA", "tif"), ("LA", "png")])
def test_transparency_lies_over_white(tmp_path: Path, mode: str, ending: str) -> None:
    colour = scene()[..., :1].repeat(3, axis=2) if mode == "LA" else scene()
    alpha = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (32, 1))
    image = Image.merge("RGBA", (*Image.fromarray(colour).split(), Image.fromarray(alpha))).convert(mode)
    options = {"lossless": True, "exact": True} if ending == "webp" else {}
    share = alpha[..., None] / 255
    assert (
        np.abs(saved(image, tmp_path / f"photo.{ending}", **options) - (share * colour + (1 - share) * 255)).max()
        <= 1.5
    )


@pytest.mark.parametrize("ending", ["png", "gif"])
@pytest.mark.parametrize("transparency", [3, bytes([255, 255, 255, 0])])
def test_a_transparent_palette_colour_is_white(tmp_path: Path, ending: str, transparency: int | bytes) -> None:
    if ending == "gif" and isinstance(transparency, bytes):
        transparency = 3
    image = Image.new("P", (20, 20), 3)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
    image.paste(1, (0, 0, 10, 20))
    found = saved(image, tmp_path / f"photo.{ending}", transparency=transparency)
    assert found[0, 0].tolist() == [0, 255, 0]
    assert found[0, 19].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 7, 7)), ("1", 0)])
def test_a_transparent_colour_is_white(tmp_path: Path, mode: str, key: object) -> None:
    image = Image.new(mode, (20, 20), key)
    assert (saved(image, tmp_path / "photo.png", transparency=key) == 255).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_scaled_by_their_range(tmp_path: Path, ending: str) -> None:
    values = np.linspace(0, 65535, 48 * 32).astype(np.uint16).reshape(32, 48)
    found = saved(Image.fromarray(values), tmp_path / f"photo.{ending}")
    assert np.abs(found - values[..., None] / 257).max() <= 0.5 + 1e-6
    dark = saved(Image.fromarray(values // 16), tmp_path / f"dark.{ending}")
    assert dark.max() == 16  # a dark photograph stays dark
    eight = saved(Image.fromarray(values // 257), tmp_path / f"eight.{ending}")
    assert (eight == values[..., None] // 257).all()  # but one of eight bits in a wider file is what it is


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0, 2**30, 2**31 - 1]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
        (np.array([[-1, 0, 1]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 0.5]], np.float32), [0, 0, 128]),
        (np.array([[-3e38, 0, 3e38]], np.float32), [0, 128, 255]),
        (np.full((1, 3), np.nan, np.float32), [0, 0, 0]),
    ],
)
def test_32_bits_are_scaled_by_the_range_that_holds_them(
    tmp_path: Path, values: np.ndarray, expected: list[int]
) -> None:
    values = values.repeat(20, axis=0)
    found = saved(Image.fromarray(values), tmp_path / "photo.tif")
    assert np.abs(found[0, :, 0] - expected).max() <= 1
    assert (found == found[..., :1]).all()


@given(arrays(np.float32, (3, 4), elements=st.floats(width=32)))
def test_any_numbers_become_grey_without_a_remark(values: np.ndarray) -> None:
    found = _eight_bits(values)
    assert found.shape == values.shape
    assert found.dtype == np.uint8
    finite = np.isfinite(values)
    order = np.argsort(values[finite])
    assert (np.diff(found[finite][order].astype(int)) >= 0).all()  # brighter stays brighter


# Files that cannot be used --------------------------------------------------------------------------------------------


def header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and goes no further."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [body, b"IDAT", b"IEND"]
    packed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def encoded(ending: str, share: float = 1.0) -> bytes:
    """The first part of a sound file."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, ending)
    return file.getvalue()[: int(len(file.getvalue()) * share)]


BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"this is no photograph",
    "zeros.png": bytes(1000),
    "truncated.jpg": encoded("jpeg", 0.5),
    "truncated.png": encoded("png", 0.5),
    "truncated.webp": encoded("webp", 0.5),
    "truncated.gif": encoded("gif", 0.5),
    "truncated.tif": encoded("tiff", 0.5),
    "truncated.bmp": encoded("bmp", 0.5),
    "header.png": header(64, 64),
    "large (1).png": header(14_000, 14_000),
    "bomb.png": header(60_000, 60_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(UserError) as caught:
        open_photo(path, 32)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    if name in ("large (1).png", "bomb.png"):
        assert f"{MAX_PIXELS:,} pixels" in str(caught.value)
        with pytest.raises(UserError, match="pixels"):
            upright_size(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for function in (open_photo, upright_size):
        with pytest.raises(UserError, match=r"gone\.jpg.*no such file"):
            function(tmp_path / "gone.jpg")
        with pytest.raises(UserError, match="directory"):
            function(tmp_path)


def test_pillow_says_nothing_even_with_several_threads(tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(header(10_000, 10_000))  # Pillow warns of anything over 89 million pixels
    with pytest.warns(Image.DecompressionBombWarning), Image.open(tmp_path / "wide.png"):
        pass
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(upright_size, [tmp_path / "wide.png"] * 200)) == {(10_000, 10_000)}
    assert warnings.filters == before
