"""Loaders: photographs of a step, or of a folder, decoded by workers into batches of one shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deepret.data.augment import Augmentation, Shape, rounded_shape
from deepret.data.catalogue import Catalogue
from deepret.data.draws import Draw
from deepret.data.photo import Photo, open_photo, upright_size
from deepret.errors import UserError
from deepret.memory import give_back_memory

if TYPE_CHECKING:
    from deepret.models.input.base import Input

T = TypeVar("T", covariant=True)


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


class Loader(DataLoader[T]):
    """PyTorch's loader with decoding workers of one thread each; it takes no random number from its caller.

    A mistake that a worker meets, such as a file that has vanished, arrives as the one message that it is.
    """

    def __init__(self, dataset: Any, *, workers: int, pin: bool = False, **settings: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "This DataLoader will create"
            )  # more workers than cores: the user's choice
            super().__init__(
                dataset,
                num_workers=workers,
                pin_memory=pin and torch.cuda.is_available(),
                worker_init_fn=single_thread,
                generator=torch.Generator(),
                **settings,
            )

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]
        if self.num_workers:
            give_back_memory()
        try:
            with warnings.catch_warnings(), without_opencv_threads():
                warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)  # from 3.12 on, of every fork
                batches = super().__iter__()
            yield from batches
        except UserError as error:
            raise UserError(str(error).rpartition("UserError: ")[2].strip()) from None


class TrainImages(Dataset[tuple[Tensor, int, int]]):
    """Draws of the sampler → augmented images; what one becomes depends on (seed, epoch, image, draw) alone."""

    def __init__(
        self, catalogue: Catalogue, size: int, multiple: int, augmentation: Augmentation, seed: int, shape: Shape
    ) -> None:
        self.catalogue = catalogue
        self.labels = catalogue.label_ids()
        self.size = size
        self.multiple = multiple
        self.augmentation = augmentation
        self.seed = seed
        self.shape = shape

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int, int]:
        view = self.catalogue.views[draw.index]
        side = self.augmentation.side(self.larger_side(*self.catalogue.sizes[draw.index]), view)
        image = open_photo(self.catalogue.photo(draw.index).path, max_side=side)
        random = np.random.default_rng((self.seed, draw.epoch, draw.index, draw.draw))
        made = self.augmentation(image, self.size, self.multiple, view, random, self.shape)
        return made, draw.index, int(self.labels[draw.index])

    def larger_side(self, width: int, height: int) -> int:
        """The larger side in pixels at which no side of a photograph is enlarged; a pixel of rounding counts not."""
        larger = max(width, height)
        h, w = self.shape(width, height, self.size, 1)
        return max(self.size, math.ceil((w - 1) * larger / width), math.ceil((h - 1) * larger / height))


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
    shape: Shape = rounded_shape,
) -> DataLoader[Batch]:
    """A loader of ``Batch``, one a step.

    Args:
        catalogue: the photographs.
        size: of a training image in pixels: its larger side, or both where ``shape`` is square.
        multiple: both sides are multiples of it.
        augmentation: what training does to an image.
        batches: iterable of lists of ``Draw``, with a length.
        workers: processes that decode; 0 decodes in this one.
        pin: whether batches lie in pinned memory, where there is a GPU.
        seed: of the augmentation.
        shape: what shape the network's input makes of a photograph.
    """
    images = TrainImages(catalogue, size, multiple, augmentation, seed, shape)
    return Loader(
        images, workers=workers, pin=pin, batch_sampler=batches, collate_fn=in_parts, persistent_workers=workers > 0
    )


class InputImages(Dataset[tuple[Tensor, int]]):
    """Photographs as the network's input has them, each with its position."""

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
    batches = one_shape_batches(photos, sizes, input, batch_size)
    return image_loader(photos, input, batches[rank::world], workers)


def image_loader(
    photos: Sequence[Photo], input: Input, batches: list[list[int]], workers: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """A loader of (images (b, 3, h, w) uint8, their positions (b,)), a batch for each list of positions."""
    return Loader(InputImages(photos, input.tensor), workers=workers, batch_sampler=batches)


def one_shape_batches(
    photos: Sequence[Photo], sizes: Sequence[tuple[int, int]] | None, input: Input, batch_size: int
) -> list[list[int]]:
    """Positions of photographs in batches of one shape, each once, full batches first: ranks get equal work.

    Args:
        photos: n of them.
        sizes: upright width and height of each, where they are known; they are read from the headers otherwise.
        input: the network's input, which says what shape a photograph becomes.
        batch_size: images a batch, at most.
    """
    shapes: dict[tuple[int, int], list[int]] = {}
    for i, photo in enumerate(photos):
        width, height = upright_size(photo.path) if sizes is None else sizes[i]
        shapes.setdefault(input.shape(width, height, photo.box), []).append(i)
    batches = [rows[k : k + batch_size] for _, rows in sorted(shapes.items()) for k in range(0, len(rows), batch_size)]
    return sorted(batches, key=len, reverse=True)


@contextmanager
def without_opencv_threads() -> Iterator[None]:
    """Ends OpenCV's threads while workers are forked, which then have none.

    A child that is forked beside them waits for ever for the first thread that it asks to stop.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def single_thread(_: int) -> None:
    """Keeps a worker's tensors to one core: there are several workers."""
    torch.set_num_threads(1)
