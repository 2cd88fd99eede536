"""Batches for ranking: which images a step looks at, the same for any number of processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from torch import Tensor

from deepret.errors import UserError


class Draw(NamedTuple):
    """One image of a batch.

    Args:
        index: row of the catalogue.
        epoch: epoch it is drawn in.
        draw: how often the epoch has drawn it before; with (seed, epoch, index) it decides the augmentation.
    """

    index: int
    epoch: int
    draw: int


class PKBatches:
    """P classes × K images a batch, P = batch_size / K, of which each rank takes an equal, contiguous share.

    The whole batch depends on (seed, epoch, step) alone, so any number of ranks trains on the same batches. Classes are
    drawn without replacement until all have been drawn, and so are the images of a class; a class of fewer than K images
    gives some of them again, augmented otherwise. Of the P classes, ``round(view_share · P)`` are unlabelled photographs,
    each K times.

    Args:
        labels: (n,) int64, the class of each row.
        views: (n,) bool, whether a row is an unlabelled photograph that is a class of its own.
        batch_size: images a batch, over all ranks.
        images_per_class: K.
        view_share: share of the classes from unlabelled photographs, where there are both kinds.
        batches: batches an epoch.
        seed: of all draws.
        rank: this process' number.
        world: number of processes.
        rows: (n,) int64, the catalogue's row of each; 0…n − 1 where not given.

    Raises:
        UserError: sizes that do not divide, or fewer classes than P.
    """

    def __init__(
        self,
        labels: Tensor,
        views: Tensor,
        batch_size: int,
        images_per_class: int,
        view_share: float,
        batches: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        rows: Tensor | None = None,
    ) -> None:
        if batch_size % images_per_class:
            raise UserError(f"batch.images={batch_size}: not a multiple of batch.images_per_class={images_per_class}.")
        if batch_size % world:
            raise UserError(f"batch.images={batch_size}: does not divide among {world} processes.")
        index = np.arange(len(labels)) if rows is None else rows.numpy()
        names, is_view = labels.numpy(), views.numpy().astype(bool)
        self.classes = [index[(names == c) & ~is_view] for c in np.unique(names[~is_view])]
        self.photographs = [index[[i]] for i in np.flatnonzero(is_view)]
        count = batch_size // images_per_class
        mixed = bool(self.classes and self.photographs)
        self.view_classes = round(view_share * count) if mixed else (0 if self.classes else count)
        for kind, there, wanted in (
            ("classes in train", len(self.classes), count - self.view_classes),
            ("unlabelled photographs", len(self.photographs), self.view_classes),
        ):
            if there < wanted:
                raise UserError(
                    f"batch.images={batch_size} at {images_per_class} a class needs {wanted} {kind}, and there are {there}: "
                    f"take batch.images={max(there, 1) * images_per_class} at most, or more images a class."
                )
        if count < 2:
            raise UserError(f"batch.images={batch_size}: a batch needs two classes at least; take more images or fewer a class.")
        self.images_per_class = images_per_class
        self.labelled_classes = count - self.view_classes
        self.batches = batches
        self.seed = seed
        self.epoch = 0
        self.share = slice(rank * batch_size // world, (rank + 1) * batch_size // world)

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        random = np.random.default_rng((self.seed, self.epoch, 1))
        order, view_order = _endless(len(self.classes), random), _endless(len(self.photographs), random)
        images = [_endless(len(c), random) for c in self.classes]
        drawn: dict[int, int] = {}
        for _ in range(self.batches):
            batch = []
            for number in _distinct(order, self.labelled_classes):
                batch += [self.classes[number][next(images[number])] for _ in range(self.images_per_class)]
            for number in _distinct(view_order, self.view_classes):
                batch += [self.photographs[number][0]] * self.images_per_class
            draws = []
            for row in map(int, batch):
                draws.append(Draw(row, self.epoch, drawn.get(row, 0)))
                drawn[row] = drawn.get(row, 0) + 1
            yield draws[self.share]


def _endless(count: int, random: np.random.Generator) -> Iterator[int]:
    """0…count − 1 in random order, again and again."""
    while count:
        yield from random.permutation(count).tolist()


def _distinct(numbers: Iterator[int], count: int) -> list[int]:
    """The next ``count`` numbers that differ: where one order ends inside a batch, the next begins with others."""
    found: list[int] = []
    while len(found) < count:
        number = next(numbers)
        if number not in found:
            found.append(number)
    return found


class TripletBatches:
    """Batches of whole mined triplets, drawn as q, d⁺, d⁻, q, d⁺, d⁻, …

    Args:
        batch_size: images a batch, over all ranks; a third of it are triplets, rounded down to a multiple of ``world``.
        batches: batches an epoch.
        seed: of the draws.
        rank: this process' number.
        world: number of processes.

    Raises:
        UserError: fewer than one triplet for each process.
    """

    def __init__(self, batch_size: int, batches: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.count = batch_size // 3 // world * world
        if self.count < 1:
            raise UserError(f"batch.images={batch_size}: gives each of {world} processes less than one triplet of 3 images.")
        self.batches = batches
        self.seed = seed
        self.epoch = 0
        self.share = slice(rank * self.count // world, (rank + 1) * self.count // world)
        self.triplets: Tensor | None = None

    def set_triplets(self, triplets: Tensor) -> None:
        """The triplets (T, 3) of catalogue rows to draw from.

        Raises:
            UserError: there is none.
        """
        if len(triplets) == 0:
            raise UserError("mining=pool found no triplet with a loss: the margin is met everywhere; raise loss.margin or stop.")
        self.triplets = triplets

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        assert self.triplets is not None, "set_triplets comes first"
        random = np.random.default_rng((self.seed, self.epoch, 3))
        order = _endless(len(self.triplets), random)
        drawn: dict[int, int] = {}
        for _ in range(self.batches):
            draws = []
            for number in [next(order) for _ in range(self.count)]:
                for row in self.triplets[number].tolist():
                    draws.append(Draw(row, self.epoch, drawn.get(row, 0)))
                    drawn[row] = drawn.get(row, 0) + 1
            yield draws[self.share.start * 3 : self.share.stop * 3]


