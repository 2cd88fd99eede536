"""What training does to an image before the network sees it."""

from __future__ import annotations

import io
import math
from typing import Annotated

import cv2
import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter
from pydantic import Field
from torch import Tensor

Share = Annotated[float, Field(ge=0, le=1)]


class Augmentation:
    """Crops, recolours and blurs; what comes out depends on the image and the random numbers given, on nothing else.

    A labelled photograph is cropped a little, to the aspect of the shape that it is resized to, so nothing is squeezed. An
    unlabelled one, whose views have to teach what stays the same, is also turned in perspective and cropped far more.

    Args:
        crop_area: share of a labelled photograph's area that its crop keeps at least.
        zoom: share of the size down to which a labelled image is drawn smaller, by a multiple; 1 keeps the size.
        flip: how often an image is mirrored; landmarks have a left and a right, so not by default.
        colour: strength of the changes of brightness, contrast and saturation.
        grey: how often an image loses its colours.
        blur: how often an image is blurred.
        view_area: share of an unlabelled photograph's area that a view keeps at least.
        view_perspective: how far the corners of a view move, as a share of its sides.
        view_colour: strength of the changes of colour in a view.
    """

    def __init__(
        self,
        crop_area: Annotated[float, Field(gt=0, le=1)] = 0.95,
        zoom: Annotated[float, Field(gt=0, le=1)] = 1.0,
        flip: Share = 0.0,
        colour: Share = 0.3,
        grey: Share = 0.1,
        blur: Share = 0.1,
        view_area: Annotated[float, Field(gt=0, le=1)] = 0.35,
        view_perspective: Annotated[float, Field(ge=0, lt=0.5)] = 0.18,
        view_colour: Share = 0.5,
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

    def __call__(self, image: Image.Image, size: int, multiple: int, view: bool, random: Generator) -> Tensor:
        """An augmented image as uint8 (3, h, w).

        Args:
            image: the decoded photograph, RGB.
            size: larger side of the result in pixels, before ``zoom``.
            multiple: both sides of the result are multiples of it.
            view: whether it is a view of an unlabelled photograph.
            random: the random numbers to use.
        """
        if view:
            made = self._perspective(image, size, multiple, random)
            made = recolour(made, self.view_colour, random)
            if random.random() < 0.3:
                made = _jpeg(made, int(random.integers(30, 80)))
        else:
            size = round(size * random.uniform(self.zoom, 1))
            made = self._crop(image, size, multiple, random)
            made = recolour(made, self.colour, random)
        if random.random() < self.flip:
            made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < self.grey * (2 if view else 1):
            made = made.convert("L").convert("RGB")
        if random.random() < self.blur * (3 if view else 1):
            made = made.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 2.0 if view else 1.2)))
        return torch.from_numpy(np.array(made)).permute(2, 0, 1).contiguous()

    def _crop(self, image: Image.Image, size: int, multiple: int, random: Generator) -> Image.Image:
        height, width = rounded_shape(image.width, image.height, size, multiple)
        box = crop_box(image.width, image.height, width / height, self.crop_area, random)
        return image.resize((width, height), Image.Resampling.BILINEAR, box=box)

    def _perspective(self, image: Image.Image, size: int, multiple: int, random: Generator) -> Image.Image:
        """A view: a crop of random size and place, its corners moved inward, so that it shows the photograph alone."""
        height, width = rounded_shape(image.width, image.height, size, multiple)
        box = crop_box(image.width, image.height, width / height, self.view_area, random)
        x0, y0, x1, y1 = box
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * (x1 - x0, y1 - y0)
        corners = corners + inward * random.uniform(0, self.view_perspective, (4, 2))
        shrink = max(1.0, min((x1 - x0) / width, (y1 - y0) / height) / 1.5)
        if shrink > 1.3:  # a warp alone would skip pixels
            image = image.resize((round(image.width / shrink), round(image.height / shrink)), Image.Resampling.BILINEAR)
            corners = corners / shrink
        target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
        warped = cv2.warpPerspective(np.asarray(image), matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return Image.fromarray(warped)


def rounded_shape(width: int, height: int, size: int, multiple: int) -> tuple[int, int]:
    """Height and width for a larger side of ``size``, both rounded to the nearest multiple, at least one."""
    factor = size / max(width, height)
    sides = (max(1, math.floor(n * factor / multiple + 0.5)) * multiple for n in (height, width))
    return next(sides), next(sides)


def crop_box(width: int, height: int, aspect: float, area: float, random: Generator) -> tuple[float, float, float, float]:
    """A random box (x0, y0, x1, y1) inside a photograph, of the aspect (width / height) that is wanted.

    It keeps at least ``area`` of the photograph; where no box of that aspect can, it is the largest one of that aspect.

    Args:
        width: of the photograph in pixels.
        height: of the photograph in pixels.
        aspect: of the box.
        area: least share of the photograph's area.
        random: the random numbers to use.
    """
    widest = min(width, height * aspect)
    largest = widest * widest / aspect / (width * height)
    kept = random.uniform(min(area, largest), largest)
    w = min(math.sqrt(kept * width * height * aspect), widest)
    h = min(w / aspect, height)
    x0, y0 = random.uniform(0, 1) * (width - w), random.uniform(0, 1) * (height - h)
    return x0, y0, min(x0 + w, width), min(y0 + h, height)


def recolour(image: Image.Image, strength: float, random: Generator) -> Image.Image:
    """Changes brightness, contrast and saturation, each by a factor from 1 − strength to 1 + strength."""
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(random.uniform(1 - strength, 1 + strength))
    return image


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
