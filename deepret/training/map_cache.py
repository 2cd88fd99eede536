"""Maps of the training images, computed once by the frozen backbone, for what learns on top of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from deepret.data.augment import rounded_shape
from deepret.data.catalogue import Box, Catalogue
from deepret.data.loading import single_thread
from deepret.data.photo import open_photo
from deepret.data.sampler import Draw
from deepret.models.network import Network
from deepret.search.describe import evaluating

VISIBLE = 0.5
"""A box of which a crop shows less than this share is no box of the crop."""


@dataclass
class Cached:
    """Maps with the boxes on them.

    Args:
        maps: (C, H, W) float16 each, on the CPU.
        boxes: (k, 4) float32 each, in cells and fractions of them.
    """

    maps: list[Tensor]
    boxes: list[Tensor]

    def __len__(self) -> int:
        return len(self.maps)


class Variants(Dataset[tuple[Tensor, Tensor]]):
    """Photographs as the network's input has them, and varied ones: cropped at random and mirrored half the time."""

    def __init__(self, catalogue: Catalogue, boxes: list[list[Box]], variants: int, size: int, multiple: int, seed: int) -> None:
        self.catalogue = catalogue
        self.boxes = boxes
        self.variants = variants
        self.size = size
        self.multiple = multiple
        self.seed = seed

    def __len__(self) -> int:
        return len(self.catalogue) * self.variants

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """An image (3, h, w) uint8 and its boxes (k, 4) as shares of its sides."""
        row, variant = divmod(item, self.variants)
        image = open_photo(self.catalogue.photo(row).path, max_side=2 * self.size)
        width, height = self.catalogue.sizes[row]
        boxes = torch.tensor(self.boxes[row], dtype=torch.float32).reshape(-1, 4) / torch.tensor([width, height] * 2)
        if variant:
            image, boxes = vary(image, boxes, np.random.default_rng((self.seed, row, variant)))
        h, w = rounded_shape(image.width, image.height, self.size, self.multiple)
        pixels = np.array(image.resize((w, h), Image.Resampling.BILINEAR))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), boxes


def vary(image: Image.Image, boxes: Tensor, random: np.random.Generator) -> tuple[Image.Image, Tensor]:
    """A random crop of 40 to 100 % of the area, mirrored half the time, and the boxes that it still shows.

    Args:
        image: the photograph.
        boxes: (k, 4) as shares of its sides.
        random: the random numbers to use.
    """
    side = np.sqrt(random.uniform(0.4, 1.0)) * np.exp(random.uniform(-0.15, 0.15, 2) * (1, -1))
    w, h = np.minimum(side, 1.0)
    x, y = random.uniform(0, 1 - w), random.uniform(0, 1 - h)
    image = image.crop((round(x * image.width), round(y * image.height), round((x + w) * image.width), round((y + h) * image.height)))
    moved = (boxes - torch.tensor([x, y, x, y], dtype=torch.float32)) / torch.tensor([w, h, w, h], dtype=torch.float32)
    clipped = moved.clamp(0, 1)
    kept = area(clipped) >= VISIBLE * area(moved)
    clipped = clipped[kept & (area(clipped) > 0)]
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        clipped = torch.stack([1 - clipped[:, 2], clipped[:, 1], 1 - clipped[:, 0], clipped[:, 3]], dim=1)
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
) -> Cached:
    """The maps of each photograph, and of varied copies of it, with their boxes in cells.

    Args:
        network: its input and backbone make the maps, at the input's size.
        catalogue: the photographs.
        boxes: of each, in pixels.
        variants: copies of each; the first is the photograph as it is.
        seed: of the variation.
        workers: processes that decode.
        device: where to compute.
        name: what the bar says.
    """
    images = Variants(catalogue, boxes, variants, network.input.size, network.input.multiple, seed)
    loader = DataLoader(images, batch_size=None, num_workers=workers, worker_init_fn=single_thread)
    found = Cached([], [])
    network.to(device)
    with evaluating(network):
        for image, shares in tqdm(loader, name, disable=None, leave=False, unit=" images"):
            maps = network.maps(image[None].to(device))[0]
            found.maps.append(maps.half().cpu().clone())
            found.boxes.append(shares * torch.tensor([maps.shape[2], maps.shape[1]] * 2))
    return found


class ShapeBatches:
    """Batches of maps of one shape, every map once an epoch, in an order that depends on (seed, epoch) alone.

    Args:
        shapes: of each map.
        batch_size: maps a batch, at most.
        seed: of the order.
        limit: batches an epoch, at most.
    """

    def __init__(self, shapes: list[tuple[int, ...]], batch_size: int, seed: int, limit: int | None = None) -> None:
        self.groups: dict[tuple[int, ...], list[int]] = {}
        for i, shape in enumerate(shapes):
            self.groups.setdefault(shape, []).append(i)
        self.batch_size = batch_size
        self.seed = seed
        count = sum(-(-len(g) // batch_size) for g in self.groups.values())
        self.count = count if limit is None else min(count, limit)
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
