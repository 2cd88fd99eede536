"""Maps of the training images, computed once by the frozen backbone and kept on disk for what learns on top of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from deepret.data.catalogue import Catalogue
from deepret.data.loading import Batch, Loader, in_parts
from deepret.data.photo import Box, open_photo
from deepret.data.sampler import Draw
from deepret.models.input.base import Input
from deepret.models.network import Network
from deepret.search.describe import evaluating
from deepret.training.proposals.map_file import MapFile
from deepret.training.settings import capped

MAPS_A_BATCH = 4
"""Small batches are many steps: two thirds of the epochs find as many boxes as with 8."""
VISIBLE = 0.5
"""A box of which a crop shows less than this share is no box of the crop."""
AT_ONCE = 16
"""Images whose maps are computed together, those of one shape in one batch."""
LARGE = 300_000_000
"""Bytes on disk that are worth a line."""


@dataclass
class Cached:
    """Maps with the boxes on them.

    Args:
        maps: (C, H, W) float16 each, mapped from a file that is gone with the last of them.
        boxes: (k, 4) float32 each, in cells and fractions of them.
    """

    maps: list[Tensor]
    boxes: list[Tensor]

    def __len__(self) -> int:
        return len(self.maps)


class Variants(Dataset[tuple[Tensor, Tensor]]):
    """Photographs as the network's input has them, and varied ones; what one becomes depends on (seed, row, variant).

    Args:
        catalogue: n photographs.
        boxes: of each, in pixels.
        variants: copies of each; the first is the photograph as it is.
        input: says what shape and size a photograph becomes.
        seed: of the variation.
    """

    def __init__(
        self, catalogue: Catalogue, boxes: Sequence[Sequence[Box]], variants: int, input: Input, seed: int
    ) -> None:
        self.catalogue = catalogue
        self.boxes = boxes
        self.variants = variants
        self.input = input
        self.seed = seed

    def __len__(self) -> int:
        return len(self.catalogue) * self.variants

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """An image (3, h, w) uint8 and its boxes (k, 4) as shares of its sides."""
        row, variant = divmod(item, self.variants)
        photo, (width, height) = self.catalogue.photo(row), self.catalogue.sizes[row]
        boxes = torch.tensor(self.boxes[row], dtype=torch.float32).reshape(-1, 4)
        boxes = boxes / torch.tensor([width, height, width, height])
        if variant == 0:
            return self.input.tensor(photo), boxes
        image = open_photo(photo.path, max_side=2 * self.input.size)
        scale = width / image.width  # above one when it was decoded small
        image, boxes = vary(image, boxes, np.random.default_rng((self.seed, row, variant)))
        h, w = self.input.shape(round(scale * image.width), round(scale * image.height))
        pixels = np.array(image.resize((w, h), Image.Resampling.BILINEAR))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), boxes


def vary(image: Image.Image, boxes: Tensor, random: Generator) -> tuple[Image.Image, Tensor]:
    """A random crop of 40 to 100 % of the area, mirrored half the time, and the boxes that it still shows.

    Args:
        image: the photograph.
        boxes: (k, 4) as shares of its sides.
        random: the random numbers to use.

    Returns:
        the crop, and boxes (j, 4) as shares of the crop's sides, clipped to it, in their order; those of which it shows
        less than half are left out.
    """
    sides = np.sqrt(random.uniform(0.4, 1.0)) * np.exp(random.uniform(-0.15, 0.15) * np.array([1, -1]))
    w, h = (max(1, round(min(side, 1.0) * whole)) for side, whole in zip(sides, image.size, strict=True))
    x, y = (
        int(random.integers(0, whole - part, endpoint=True)) for whole, part in zip(image.size, (w, h), strict=True)
    )
    image_size = torch.tensor([*image.size, *image.size])
    moved = (boxes * image_size - torch.tensor([x, y, x, y])) / torch.tensor([w, h, w, h])
    clipped = moved.clamp(0, 1)
    clipped = clipped[(area(clipped) > 0) & (area(clipped) >= VISIBLE * area(moved))]
    image = image.crop((x, y, x + w, y + h))
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x0, y0, x1, y1 = clipped.unbind(1)
        clipped = torch.stack([1 - x1, y0, 1 - x0, y1], dim=1)
    return image, clipped


def area(boxes: Tensor) -> Tensor:
    """Areas (k,) of boxes (k, 4)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


@torch.inference_mode()
def cache_maps(
    network: Network,
    catalogue: Catalogue,
    boxes: list[list[Box]],
    *,
    variants: int,
    seed: int,
    workers: int,
    device: torch.device,
    name: str,
    folder: Path,
) -> Cached:
    """The maps of each photograph, and of varied copies of it, with their boxes in cells.

    They go to disk as they come and are mapped from there, so memory holds no more than the system has room for.

    Args:
        network: its input and backbone make the maps, at the input's size.
        catalogue: the photographs.
        boxes: of each, in pixels.
        variants: copies of each; the first is the photograph as it is.
        seed: of the variation.
        workers: processes that decode.
        device: where to compute.
        name: what the bar says.
        folder: where the file of the maps lies; it goes by itself, with the maps or with the program.

    Raises:
        UserError: the disk is full.
    """
    images = Variants(catalogue, boxes, variants, network.input, seed)
    loader: Loader[tuple[Batch, list[Tensor]]] = Loader(
        images, workers=workers, batch_size=AT_ONCE, collate_fn=_one_shape_each
    )
    found, file = Cached([], []), MapFile(folder)
    network.to(device)
    with (
        evaluating(network),
        tqdm(total=len(images), desc=name, disable=None, leave=False, unit=" images") as bar,
    ):
        for batch, shares in loader:
            maps = [m for part in batch.parts for m in network.maps(part.to(device)).half().cpu()]
            for row, share in zip(batch.order.tolist(), shares, strict=True):
                file.write(maps[row])
                height, width = maps[row].shape[1:]
                found.boxes.append(share * torch.tensor([width, height, width, height]))
            bar.update(len(shares))
    found.maps += file.read()
    if file.size >= LARGE:
        print(f"  {name}: {file.size / 1e9:.1f} GB on disk in {folder}, gone when the stage is", flush=True)
    return found


def _one_shape_each(items: list[tuple[Tensor, Tensor]]) -> tuple[Batch, list[Tensor]]:
    """Images of several shapes → one part a shape, and the boxes of each image in the old order."""
    return in_parts([(image, 0, 0) for image, _ in items]), [boxes for _, boxes in items]


class ShapeBatches:
    """Batches of maps of one shape, every map once an epoch, in an order that depends on (seed, epoch) alone.

    Args:
        shapes: of each map.
        batch_size: maps a batch, at most.
        seed: of the order.
        limit: batches an epoch, at most, or a share of them when it is a float; one is always left.
    """

    def __init__(
        self, shapes: list[tuple[int, ...]], batch_size: int, seed: int, limit: float | int | None = None
    ) -> None:
        self.groups: dict[tuple[int, ...], list[int]] = {}
        for i, shape in enumerate(shapes):
            self.groups.setdefault(tuple(shape), []).append(i)
        self.batch_size = batch_size
        self.seed = seed
        count = sum(-(-len(group) // batch_size) for group in self.groups.values())
        self.count = min(count, max(capped(count, limit), 1))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[Draw]]:
        random = np.random.default_rng((self.seed, self.epoch, 2))
        batches = []
        for group in self.groups.values():
            order = [group[i] for i in random.permutation(len(group))]
            batches += [order[k : k + self.batch_size] for k in range(0, len(order), self.batch_size)]
        for number in random.permutation(len(batches))[: self.count]:
            yield [Draw(i, self.epoch, 0) for i in batches[number]]
