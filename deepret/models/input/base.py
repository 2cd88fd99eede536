"""What every input does: decode, normalise, repeat at several scales."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from deepret.data.photo import Box, Photo, open_photo, upright_size
from deepret.errors import UserError


class View(NamedTuple):
    """One way in which a photograph is looked at.

    Args:
        scale: factor of the resized photograph.
        mirrored: left to right.
    """

    scale: float
    mirrored: bool


class Input(nn.Module):
    """Resizes, normalises and, where asked, repeats at several scales; the same in training, evaluation and index.

    A photograph becomes whole numbers 0…255 first (``tensor``), so that it travels small, and numbers that the
    backbone takes last (``forward``): (x / 255 − mean) / std.

    Args:
        size: of the photograph after resizing, in pixels.
        multiple: both sides are rounded to the nearest multiple of it, at least one.
        upscale: whether smaller photographs are enlarged.
        scales: factors of the resized photograph at which it is described; ``[1.0]`` unless given.
        flip: whether it is described mirrored as well, at each of the scales.
        merge: how the codes of its views, of length one each, become one: their ``sum``, or the ``max`` in each
            dimension, of length one again.
        mean: of each colour channel, for values in 0…1, from the backbone.
        std: of each colour channel, for values in 0…1, from the backbone.

    Shape:
        uint8 or float (B, 3, h, w) in 0…255 → float32 (B, 3, h, w).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        mean: list[float],
        std: list[float],
        size: PositiveInt = 512,
        multiple: PositiveInt = 16,
        upscale: bool = True,
        scales: Annotated[list[PositiveFloat], Field(min_length=1)] | None = None,
        flip: bool = False,
        merge: Literal["sum", "max"] = "sum",
    ) -> None:
        super().__init__()
        self.size = size
        self.multiple = multiple
        self.upscale = upscale
        self.scales = scales or [1.0]
        self.flip = flip
        self.merge = merge
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1))

    def shape(self, width: int, height: int, box: Box | None = None) -> tuple[int, int]:
        """Height and width of the tensor that a photograph of that size becomes, or a crop of it.

        Args:
            width: of the upright photograph in pixels.
            height: of the upright photograph in pixels.
            box: the crop, x0, y0, x1, y1 in pixels of the photograph.
        """
        raise NotImplementedError

    @staticmethod
    def resized(width: int, height: int, size: int, multiple: int) -> tuple[int, int]:
        """Height and width that a photograph becomes at another size and multiple, as training asks for.

        Args:
            width: of the photograph in pixels.
            height: of the photograph in pixels.
            size: of the result in pixels; what it is a size of, the input says.
            multiple: both sides are rounded to the nearest multiple of it, at least one.
        """
        raise NotImplementedError

    def tensor(self, photo: Photo) -> Tensor:
        """A photograph, or the crop of it that ``photo.box`` names, as uint8 (3, h, w).

        Raises:
            UserError: a file that cannot be read, or a box outside its photograph.
        """
        width, height = upright_size(photo.path)
        x0, y0, x1, y1 = _clip(photo, width, height)
        h, w = self.shape(width, height, photo.box)
        enlarging = max(w / (x1 - x0), h / (y1 - y0))
        image = open_photo(photo.path, max_side=math.ceil(enlarging * max(width, height)))
        right, down = image.width / width, image.height / height  # below one when it was decoded small
        box = (x0 * right, y0 * down, min(x1 * right, image.width), min(y1 * down, image.height))
        resized = image.resize((w, h), Image.Resampling.BILINEAR, box=box)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()

    def forward(self, images: Tensor) -> Tensor:
        """Normalises images, channels last in memory: convolutions then take up to a quarter less time."""
        return (images.contiguous(memory_format=torch.channels_last).float() - self.mean) / self.std

    @property
    def several(self) -> bool:
        """Whether a photograph is described in more than one view."""
        return self.flip or self.scales != [1.0]

    @property
    def views(self) -> list[View]:
        """In which views a photograph is described: each of the scales and, where ``flip`` is true, each mirrored."""
        return [View(scale, mirrored) for mirrored in (False, True)[: 1 + self.flip] for scale in self.scales]

    @property
    def plainest(self) -> View:
        """The view that is nearest to the photograph as it is: what parts are fitted on."""
        return View(min(self.scales, key=lambda scale: abs(math.log(scale))), False)

    def seen(self, images: Tensor, view: View) -> Tensor:
        """Images (B, 3, h, w) in one view; scaled bilinear and antialiased, sides rounded to the multiple."""
        height, width = images.shape[-2:]
        size = (self._round(view.scale * height), self._round(view.scale * width))
        if size != (height, width):
            images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        return images.flip(3) if view.mirrored else images

    def merged(self, codes: list[Tensor]) -> Tensor:
        """The codes (B, D) of several views → (B, D), of length one."""
        each = torch.stack(codes)
        return F.normalize(each.sum(0) if self.merge == "sum" else F.normalize(each, dim=2).amax(0), dim=1)

    def _round(self, pixels: float) -> int:
        return max(1, math.floor(pixels / self.multiple + 0.5)) * self.multiple


def _clip(photo: Photo, width: int, height: int) -> Box:
    """The photograph's crop, or all of it, inside its borders."""
    if photo.box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = photo.box
    inside = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if not (inside[0] < inside[2] and inside[1] < inside[3]):
        raise UserError(f"{photo.path}: the box {photo.box} lies outside the photograph of {width} × {height} pixels.")
    return inside
