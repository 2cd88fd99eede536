"""Loaders: photographs of a step, or of a folder, decoded by workers into batches of one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deepret.data.catalogue import Catalogue
from deepret.data.photo import Photo, open_photo, upright_size
from deepret.data.sampler import Draw

if TYPE_CHECKING:
    from deepret.data.augment import Augmentation
    from deepret.models.inputs import Input


@dataclass
class Batch:
    """The images of one step on one rank.

    Args:
        parts: images (b, 3, h, w) uint8, each part of one shape.
        order: (n,) int64; the parts' rows, one after the other, taken in this order are in the sampler's.
        index: (n,) int64, rows of the catalogue, in the sampler's order.
        labels: (n,) int64, their classes.
    """

    parts: list[Tensor]
    order: Tensor
    index: Tensor
    labels: Tensor

    def pin_memory(self) -> Batch:
        """The batch in memory that a GPU reads from directly."""
        return Batch([p.pin_memory() for p in self.parts], self.order, self.index, self.labels)


class TrainImages(Dataset[tuple[Tensor, int, int]]):
    """Draws of the sampler → augmented images; what one becomes depends on (seed, epoch, image, draw) alone."""

    def __init__(self, catalogue: Catalogue, size: int, multiple: int, augmentation: Augmentation, seed: int) -> None:
        self.catalogue = catalogue
        self.labels = catalogue.label_ids()
        self.size = size
        self.multiple = multiple
        self.augmentation = augmentation
        self.seed = seed

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int, int]:
        image = open_photo(self.catalogue.photo(draw.index).path, max_side=2 * self.size)
        random = np.random.default_rng((self.seed, draw.epoch, draw.index, draw.draw))
        view = self.catalogue.views[draw.index]
        return self.augmentation(image, self.size, self.multiple, view, random), draw.index, int(self.labels[draw.index])


def in_parts(items: Sequence[tuple[Tensor, int, int]]) -> Batch:
    """Images of several shapes → one part a shape."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for i, (image, _, _) in enumerate(items):
        shapes.setdefault(tuple(image.shape), []).append(i)
    where = torch.tensor([i for rows in shapes.values() for i in rows])
    return Batch(
        [torch.stack([items[i][0] for i in rows]) for rows in shapes.values()],
        torch.argsort(where),
        torch.tensor([index for _, index, _ in items]),
        torch.tensor([label for _, _, label in items]),
    )


def train_loader(
    catalogue: Catalogue,
    size: int,
    multiple: int,
    augmentation: Augmentation,
    batches: Any,
    workers: int = 0,
    pin: bool = False,
    seed: int = 0,
) -> DataLoader[Batch]:
    """A loader of ``Batch``, one a step.

    Args:
        catalogue: the photographs.
        size: larger side of a training image in pixels.
        multiple: both sides are multiples of it.
        augmentation: what training does to an image.
        batches: iterable of lists of ``Draw``, with a length.
        workers: processes that decode; 0 decodes in this one.
        pin: whether batches lie in pinned memory.
        seed: of the augmentation.
    """
    return DataLoader(
        TrainImages(catalogue, size, multiple, augmentation, seed),  # type: ignore[arg-type]
        batch_sampler=batches,
        collate_fn=in_parts,
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
        worker_init_fn=single_thread,
    )


class Photographs(Dataset[tuple[Tensor, int]]):
    """Photographs as the network's input has them."""

    def __init__(self, photos: Sequence[Photo], tensor: Callable[[Photo], Tensor]) -> None:
        self.photos = photos
        self.tensor = tensor

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.tensor(self.photos[i]), i


def photo_loader(
    photos: Sequence[Photo],
    sizes: Sequence[tuple[int, int]] | None,
    input: Input,
    batch_size: int,
    workers: int,
    rank: int = 0,
    world: int = 1,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """A loader of (images (b, 3, h, w) uint8 of one shape, their positions (b,)); over all ranks each photograph once.

    Args:
        photos: n of them.
        sizes: upright width and height of each, where they are known; they are read from the headers otherwise.
        input: the network's input, which says what shape a photograph becomes.
        batch_size: images a batch, at most.
        workers: processes that decode; 0 decodes in this one.
        rank: this process' number.
        world: number of processes.
    """
    shapes: dict[tuple[int, int], list[int]] = {}
    for i, photo in enumerate(photos):
        width, height = upright_size(photo.path) if sizes is None else sizes[i]
        shapes.setdefault(input.shape(width, height, photo.box), []).append(i)
    batches = [rows[k : k + batch_size] for _, rows in sorted(shapes.items()) for k in range(0, len(rows), batch_size)]
    batches.sort(key=len, reverse=True)  # full batches first: ranks get equal work
    return DataLoader(
        Photographs(photos, input.tensor),
        batch_sampler=batches[rank::world],
        num_workers=workers,
        worker_init_fn=single_thread,
    )


def single_thread(_: int) -> None:
    """Keeps a worker to one core: there are several of them."""
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
