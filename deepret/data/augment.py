"""What training does to an image before the network sees it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, cast

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from torch import Tensor

from deepret.data.photo import Box

Pixels = NDArray[np.uint8]
"""(h, w, 3), RGB."""

Share = Annotated[float, Field(ge=0, le=1)]
Area = Annotated[float, Field(gt=0, le=1)]

Shape = Callable[[int, int, int, int], tuple[int, int]]
"""Width and height of a photograph, size and multiple → height and width that the network's input makes of it."""

LUMA = (0.299, 0.587, 0.114)
INNER = 1.5
"""A view's crop is resized to so many times the view's sides before it is turned, so that turning skips no pixel."""


class Augmentation:
    """Crops, recolours and blurs; what comes out depends on the image and the random numbers given, on nothing else.

    A labelled photograph is cropped a little, as near as that allows to the aspect of sides that are rounded to the
    multiple; where the network's input squeezes photographs, crops are squeezed as the whole one would be.
    An unlabelled one, whose views have to teach what stays the same, is turned in perspective and changed far more.

    Args:
        crop_area: share of a labelled photograph's area that its crop keeps at least.
        zoom: share of the size down to which a labelled image is drawn smaller; 1 keeps the size.
        flip: how often an image is mirrored; landmarks have a left and a right, so not by default.
        colour: strength of the changes of light and colour.
        grey: how often an image loses its colours.
        blur: how often an image is blurred.
        view_area: share of an unlabelled photograph's area that a view's crop keeps at least, before its corners move.
        view_perspective: how far each corner of a view moves inward at most, as a share of the crop's sides.
        view_colour: strength of the changes of light and colour in a view.
        view_grey: how often a view loses its colours.
        view_blur: how often a view is blurred.
        view_jpeg: how often a view is compressed badly.
    """

    def __init__(
        self,
        crop_area: Area = 0.95,
        zoom: Area = 1.0,
        flip: Share = 0.0,
        colour: Share = 0.3,
        grey: Share = 0.1,
        blur: Share = 0.1,
        view_area: Area = 0.35,
        view_perspective: Annotated[float, Field(ge=0, lt=0.5)] = 0.18,
        view_colour: Share = 0.5,
        view_grey: Share = 0.2,
        view_blur: Share = 0.3,
        view_jpeg: Share = 0.3,
    ) -> None:
        self.crop_area = crop_area
        self.zoom = zoom
        self.flip = flip
        self.colour = colour
        self.grey = grey
        self.blur = blur
        self.view_area = view_area
        self.view_perspective = view_perspective
        self.view_colour = view_colour
        self.view_grey = view_grey
        self.view_blur = view_blur
        self.view_jpeg = view_jpeg

    def __call__(
        self, image: Image.Image, size: int, multiple: int, view: bool, random: Generator, shape: Shape | None = None
    ) -> Tensor:
        """An augmented image as uint8 (3, h, w).

        Args:
            image: the decoded photograph, RGB.
            size: of the result in pixels, before ``zoom``: its larger side unless ``shape`` says otherwise.
            multiple: both sides of the result are multiples of it.
            view: whether it is a view of an unlabelled photograph.
            random: the random numbers to use.
            shape: what shape the network's input makes of a photograph; the aspect is kept where none is given.
        """
        make = self._view if view else self._labelled
        made = make(image, size, multiple, random, shape or rounded_shape)
        if random.random() < self.flip:
            made = made[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(made.transpose(2, 0, 1)))

    def side(self, size: int, view: bool) -> int:
        """The larger side in pixels that a photograph is to be decoded at: even its least crop fills ``size`` then."""
        least = math.sqrt(self.view_area) * (1 - self.view_perspective) if view else math.sqrt(self.crop_area)
        return math.ceil(size / least)

    def _labelled(self, image: Image.Image, size: int, multiple: int, random: Generator, shape: Shape) -> Pixels:
        size = round(size * random.uniform(self.zoom, 1))
        height, width = shape(image.width, image.height, size, multiple)
        aspect = rounded_aspect(image.width, image.height, size, multiple)
        box = crop_box(image.width, image.height, aspect, self.crop_area, random)
        made = np.array(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
        made = recolour(made, self.colour, random)
        if random.random() < self.grey:
            made = without_colour(made)
        if random.random() < self.blur:
            made = blurred(made, random.uniform(0.3, 1.2))
        return made

    def _view(self, image: Image.Image, size: int, multiple: int, random: Generator, shape: Shape) -> Pixels:
        height, width = shape(image.width, image.height, size, multiple)
        aspect = rounded_aspect(image.width, image.height, size, multiple)
        box = crop_box(image.width, image.height, aspect, self.view_area, random)
        corners = random.uniform(0, self.view_perspective, (4, 2))
        made = in_perspective(image, box, corners, width, height)
        made = recolour(made, self.view_colour, random)
        if random.random() < self.view_grey:
            made = without_colour(made)
        if random.random() < self.view_blur:
            made = blurred(made, random.uniform(0.3, 2.0))
        if random.random() < self.view_jpeg:
            made = badly_compressed(made, int(random.integers(30, 80)))
        return made


def rounded_shape(width: int, height: int, size: int, multiple: int) -> tuple[int, int]:
    """Height and width for a larger side of ``size``, both rounded to the nearest multiple, at least one."""
    factor = size / max(width, height)
    sides = (max(1, math.floor(n * factor / multiple + 0.5)) * multiple for n in (height, width))
    return next(sides), next(sides)


def rounded_aspect(width: int, height: int, size: int, multiple: int) -> float:
    """Width over height of a photograph whose sides are rounded."""
    rounded = rounded_shape(width, height, size, multiple)
    return rounded[1] / rounded[0]


def crop_box(width: int, height: int, aspect: float, area: float, random: Generator) -> Box:
    """A random box inside a photograph that keeps a share a of its area, a drawn evenly from ``area`` to 1.

    Of the boxes of that area it has the aspect (width / height) nearest to the one that is wanted: exactly that one
    where such a box fits into the photograph, else a side of the photograph in full.

    Args:
        width: of the photograph in pixels.
        height: of the photograph in pixels.
        aspect: of the box.
        area: least share of the photograph's area.
        random: the random numbers to use.
    """
    kept = random.uniform(area, 1)
    across = min(max(math.sqrt(kept * aspect * height / width), kept), 1.0)
    down = min(kept / across, 1.0)
    x0, y0 = random.random() * (1 - across) * width, random.random() * (1 - down) * height
    return x0, y0, min(x0 + across * width, width), min(y0 + down * height, height)


def in_perspective(image: Image.Image, box: Box, corners: NDArray[np.float64], width: int, height: int) -> Pixels:
    """A crop whose corners are moved inward, then pulled to the corners of (height, width): no border shows.

    Args:
        image: the photograph.
        box: the crop.
        corners: (4, 2) how far the upper left, upper right, lower right and lower left move, in x and y, as shares of
            the crop's sides, each below ½.
        width: of the result in pixels.
        height: of the result in pixels.
    """
    if not corners.any():
        return np.array(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    w = max(1, round(min(INNER * width, box[2] - box[0])))
    h = max(1, round(min(INNER * height, box[3] - box[1])))
    crop = np.asarray(image.resize((w, h), Image.Resampling.BILINEAR, box=box))
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    places = (square + corners * (1 - 2 * square)) * (w, h)
    # Both are counted from the border, and OpenCV counts from the middle of the first pixel.
    matrix = cv2.getPerspectiveTransform(
        (places - 0.5).astype(np.float32), (square * (width, height) - 0.5).astype(np.float32)
    )
    turned = cv2.warpPerspective(crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cast(Pixels, turned)


def recolour(pixels: Pixels, strength: float, random: Generator) -> Pixels:
    """Changes brightness, contrast, saturation and, a third as much, the colour of the light.

    Each by a factor from 1 − strength to 1 + strength: x → clip(c (b l x − m) + m), m the mean grey of b x, then its
    distance from its own grey times the saturation.
    """
    if strength == 0:
        return pixels
    brightness, contrast, saturation = random.uniform(1 - strength, 1 + strength, 3)
    light = random.uniform(1 - strength / 3, 1 + strength / 3, 3)
    mean = brightness * float(np.dot(cv2.mean(pixels)[:3], LUMA))
    ramp = np.arange(256)[:, None] * (brightness * light)
    table = (contrast * (ramp - mean) + mean + 0.5).clip(0, 255).astype(np.uint8)
    lit = cv2.LUT(pixels, table.reshape(1, 256, 3))
    mixing = saturation * np.eye(3) + (1 - saturation) * np.array(LUMA)
    return cast(Pixels, cv2.transform(lit, mixing))


def without_colour(pixels: Pixels) -> Pixels:
    """The grey of each pixel in all three channels."""
    return cast(Pixels, cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """A Gaussian blur; sigma in pixels."""
    return cast(Pixels, cv2.GaussianBlur(pixels, (0, 0), sigma))


def badly_compressed(pixels: Pixels, quality: int) -> Pixels:
    """What JPEG of a low quality (1…100) leaves of an image."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cast(Pixels, cv2.imdecode(data, cv2.IMREAD_COLOR))
    return cast(Pixels, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))
