"""The batches of a ranking stage, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch

from deepret.data.catalogue import Catalogue
from deepret.data.sampler import Draw, PKBatches, TripletBatches
from deepret.search.describe import Describer
from deepret.training.settings import BatchSettings


class EpochOrdered(Protocol):
    """Batches whose order depends on the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[list[Draw]]: ...


class EpochBatches:
    """Gives a loader the batches of the epoch that the trainer is at, whether it began there or went on there.

    Args:
        batches: P × K or triplet batches.
        epoch: the trainer's epoch.
        prepare: called with the epoch before its first batch, such as to mine triplets.
    """

    def __init__(
        self, batches: EpochOrdered, epoch: Callable[[], int], prepare: Callable[[int], None] | None = None
    ) -> None:
        self.batches = batches
        self.epoch = epoch
        self.prepare = prepare

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch = self.epoch()
        if self.prepare is not None:
            self.prepare(epoch)
        self.batches.set_epoch(epoch)
        return iter(self.batches)


def epoch_batches(
    catalogue: Catalogue,
    miner: Any,
    batch: BatchSettings,
    data: dict[str, Any],
    steps: int,
    seed: int,
    describe: Describer | None,
    epoch: Callable[[], int],
    rank: int,
    world: int,
) -> EpochBatches:
    """P × K batches over the train split, or triplets mined from a pool where the miner says so."""
    rows = torch.tensor([i for i, split in enumerate(catalogue.splits) if split == "train"])
    if not getattr(miner, "pooled", False):
        share = data.get("view_share", 0.0) if any(catalogue.views) else 0.0
        labels, views = catalogue.label_ids()[rows], torch.tensor(catalogue.views)[rows]
        made = PKBatches(
            labels, views, batch.images, batch.images_per_class, share, steps, seed, rank, world, rows=rows
        )
        return EpochBatches(made, epoch)

    triplets = TripletBatches(batch.images, steps, seed, rank, world)
    rows = torch.tensor([i for i in rows.tolist() if not catalogue.views[i]])

    def mine(now: int) -> None:
        if now % miner.every == 0 or triplets.triplets is None:
            generator = torch.Generator().manual_seed(seed * 1_000_003 + now)
            pool = rows[torch.randperm(len(rows), generator=generator)[: miner.size]].sort().values
            assert describe is not None
            codes = describe([catalogue.photo(i) for i in pool.tolist()], [catalogue.sizes[i] for i in pool.tolist()])
            found = miner.mine(codes, catalogue.label_ids()[pool], generator)
            triplets.set_triplets(pool[found])

    return EpochBatches(triplets, epoch, mine)
