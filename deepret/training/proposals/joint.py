"""Images with boxes beside the batches of ranking, where the RPN's loss is to change the backbone too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepret.data.catalogue import Catalogue
from deepret.data.loading import Loader, in_parts
from deepret.data.photo import Box
from deepret.models.input.base import Input
from deepret.models.network import Network
from deepret.training.batches import EpochBatches
from deepret.training.proposals.map_cache import Variants

VARIANTS = 1_000_000
"""More than there are epochs: each epoch sees another variant of an image."""


@dataclass
class BoxBatch:
    """Images whose objects are known.

    Args:
        parts: images (b, 3, h, w) uint8, each part of one shape.
        boxes: for each part, for each image, its boxes (k, 4) as shares of the image's sides.
    """

    parts: list[Tensor]
    boxes: list[list[Tensor]]

    def to(self, device: torch.device) -> BoxBatch:
        """The batch on a device."""
        return BoxBatch([p.to(device) for p in self.parts], [[b.to(device) for b in part] for part in self.boxes])


class BoxBatches:
    """Draws rows with boxes for each step of an epoch; the draws and variants depend on (seed, epoch) alone.

    Args:
        rows: images there are.
        images: images a step.
        steps: batches an epoch.
        seed: of the draws.
        rank: this process' number; each rank draws its own images.
    """

    def __init__(self, rows: int, images: int, steps: int, seed: int, rank: int = 0) -> None:
        self.rows = rows
        self.images = images
        self.steps = steps
        self.seed = seed
        self.rank = rank
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self.seed, self.epoch, 4, self.rank))
        for _ in range(self.steps):
            rows = random.choice(self.rows, self.images, replace=self.images > self.rows)
            yield [int(row) * VARIANTS + 1 + self.epoch for row in rows]


def box_loader(
    catalogue: Catalogue, boxes: Sequence[Sequence[Box]], input: Input, batches: EpochBatches, seed: int, workers: int
) -> Loader[BoxBatch]:
    """A loader of ``BoxBatch``, one a step.

    Args:
        catalogue: photographs that have boxes.
        boxes: of each, in pixels.
        input: says what shape and size a photograph becomes.
        batches: which images each step draws.
        seed: of the variants.
        workers: processes that decode.
    """
    images = Variants(catalogue, boxes, VARIANTS, input, seed)
    return Loader(images, workers=workers, batch_sampler=batches, collate_fn=_collate)


def _collate(items: list[tuple[Tensor, Tensor]]) -> BoxBatch:
    batch = in_parts([(image, i, 0) for i, (image, _) in enumerate(items)])
    where = iter(torch.argsort(batch.order).tolist())
    return BoxBatch(batch.parts, [[items[next(where)][1] for _ in part] for part in batch.parts])


def joint_losses(network: Network, batch: BoxBatch) -> dict[str, Tensor]:
    """The RPN's losses through the whole network, the mean over the images."""
    count = sum(len(part) for part in batch.parts)
    totals: dict[str, Tensor] = {}
    for part, boxes in zip(batch.parts, batch.boxes, strict=True):
        maps = network.maps(part)
        size = torch.tensor([maps.shape[3], maps.shape[2]] * 2, device=maps.device)
        losses: dict[str, Tensor] = network.regions.loss(maps, [b * size for b in boxes])  # type: ignore[operator]
        for name, value in losses.items():
            totals[name] = totals.get(name, 0) + value * (len(part) / count)
    return totals
