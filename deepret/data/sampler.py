"""Batches for ranking: which images a step looks at, the same for any number of processes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from deepret.data.draws import Deck, counted
from deepret.data.draws import Draw as Draw
from deepret.errors import UserError


class PKBatches:
    """P classes × K images a batch, P = batch_size / K, of which each rank takes an equal, contiguous share.

    The whole batch depends on (seed, epoch, step) alone, so any number of ranks trains on the same batches. Classes are
    dealt without replacement until all have been drawn, and so are the images of a class; a class of fewer than K
    images gives some of them again, augmented otherwise. Of the P classes, ``round(view_share · P)`` are unlabelled
    photographs, each K times.

    Args:
        labels: (n,) int64, the class of each row; rows below zero are in none and never drawn.
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
        check_sizes(batch_size, images_per_class, world)
        index = np.arange(len(labels)) if rows is None else rows.numpy()
        names, is_view = labels.numpy(), views.numpy().astype(bool)
        self.classes = grouped(index[~is_view], names[~is_view])
        self.photographs = index[is_view]
        count = batch_size // images_per_class
        mixed = bool(self.classes) and len(self.photographs) > 0
        share = view_share if mixed else 0.0 if self.classes else 1.0
        self.view_classes = round(share * count)
        self.labelled_classes = count - self.view_classes
        self._check_classes(batch_size, images_per_class, share)
        self.images_per_class = images_per_class
        self.batches = batches
        self.seed = seed
        self.epoch = 0
        self.share = slice(rank * batch_size // world, (rank + 1) * batch_size // world)

    def _check_classes(self, batch_size: int, images_per_class: int, share: float) -> None:
        """Makes sure that there are as many classes as a batch needs.

        Raises:
            UserError: there are not; with the largest batch that there are enough for.
        """
        there = (len(self.classes), len(self.photographs))
        if there[0] >= self.labelled_classes and there[1] >= self.view_classes:
            return
        fits = [
            p for p in range(2, sum(there) + 1) if p - round(share * p) <= there[0] and round(share * p) <= there[1]
        ]
        mixed = (
            f", {self.view_classes} of them unlabelled photographs (data.view_share={share:g})" if all(there) else ""
        )
        remedy = f"take at most batch.images={fits[-1] * images_per_class}, or " if fits else ""
        raise UserError(
            f"batch.images={batch_size}, batch.images_per_class={images_per_class}: a batch holds "
            f"{self.labelled_classes + self.view_classes} classes{mixed}, and there are {there[0]:,} labelled classes "
            f"in train and {there[1]:,} unlabelled photographs; {remedy}give more classes."
        )

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        random = np.random.default_rng((self.seed, self.epoch, 1))
        classes, photographs = Deck(len(self.classes), random), Deck(len(self.photographs), random)
        images = [Deck(len(rows), random) for rows in self.classes]
        drawn: Counter[int] = Counter()
        for _ in range(self.batches):
            batch: list[int] = []
            for number in classes.deal(self.labelled_classes):
                batch += self.classes[number][images[number].deal(self.images_per_class)].tolist()
            for number in photographs.deal(self.view_classes):
                batch += [int(self.photographs[number])] * self.images_per_class
            yield counted(batch, self.epoch, drawn)[self.share]


class TripletBatches:
    """Batches of whole mined triplets: q, d⁺, d⁻, q, d⁺, d⁻, …, of which each rank takes an equal, contiguous share.

    Args:
        batch_size: images a batch, over all ranks; a third of it, rounded down, are triplets.
        batches: batches an epoch.
        seed: of the draws.
        rank: this process' number.
        world: number of processes.

    Raises:
        UserError: no triplet, or a number of them that does not divide among the processes.
    """

    def __init__(self, batch_size: int, batches: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.count = batch_size // 3
        if self.count < 1 or self.count % world:
            raise UserError(
                f"batch.images={batch_size} holds {self.count} triplets of 3 images, which do not divide among "
                f"{world} processes; take batch.images={3 * world * max(1, round(self.count / world))}."
            )
        self.batches = batches
        self.seed = seed
        self.epoch = 0
        self.share = slice(3 * (rank * self.count // world), 3 * ((rank + 1) * self.count // world))
        self.triplets: Tensor | None = None

    def set_triplets(self, triplets: Tensor) -> None:
        """The triplets (T, 3) of catalogue rows to draw from; without any, an epoch has no batch."""
        self.triplets = triplets

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        if self.triplets is None:
            raise RuntimeError("set_triplets comes before the first batch")
        triplets = self.triplets.numpy()
        if not len(triplets):
            return
        deck = Deck(len(triplets), np.random.default_rng((self.seed, self.epoch, 3)))
        drawn: Counter[int] = Counter()
        for _ in range(self.batches):
            yield counted(triplets[deck.deal(self.count)].flatten().tolist(), self.epoch, drawn)[self.share]


def check_sizes(batch_size: int, images_per_class: int, world: int) -> None:
    """Makes sure that a batch divides into classes of K images, and among the processes.

    Raises:
        UserError: it does not, or it holds a single class.
    """
    step = math.lcm(images_per_class, world)
    fits = step * max(math.ceil(2 * images_per_class / step), round(batch_size / step))
    if batch_size % images_per_class:
        raise UserError(
            f"batch.images={batch_size} is no multiple of batch.images_per_class={images_per_class}; take "
            f"batch.images={fits}."
        )
    if batch_size % world:
        raise UserError(f"batch.images={batch_size} does not divide among {world} processes; take batch.images={fits}.")
    if batch_size // images_per_class < 2:
        raise UserError(
            f"batch.images={batch_size}, batch.images_per_class={images_per_class}: a batch needs two classes at "
            f"least; take batch.images={2 * images_per_class}."
        )


def grouped(index: np.ndarray, names: np.ndarray) -> list[np.ndarray]:
    """The rows of each class, in the order of the classes' numbers; none below zero."""
    order = np.argsort(names, kind="stable")
    order = order[names[order] >= 0]
    starts = np.flatnonzero(np.diff(names[order])) + 1
    return np.split(index[order], starts) if len(order) else []
