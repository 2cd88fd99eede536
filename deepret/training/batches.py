"""The batches of a ranking stage, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor

from deepret.data.catalogue import Catalogue
from deepret.data.sampler import PKBatches, TripletBatches
from deepret.distributed.processes import first
from deepret.errors import UserError
from deepret.search.describe import Describer
from deepret.training.settings import BatchSettings


class EpochOrdered(Protocol):
    """Batches whose order depends on the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[list[Any]]: ...


class EpochBatches:
    """Gives a loader the batches of the epoch that the trainer is at, whether it began there or went on there.

    Args:
        batches: P × K or triplet batches.
        epoch: the trainer's epoch.
        prepare: mines triplets before an epoch's first batch.

    Attributes:
        skip: how many batches of an epoch a run that was cut off has seen already.
    """

    def __init__(self, batches: EpochOrdered, epoch: Callable[[], int], prepare: Mining | None = None) -> None:
        self.batches = batches
        self.epoch = epoch
        self.prepare = prepare
        self.skip: Callable[[int], int] = lambda _: 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Any]]:
        epoch = self.epoch()
        if self.prepare is not None:
            self.prepare(epoch)
        self.batches.set_epoch(epoch)
        yield from islice(self.batches, self.skip(epoch), None)  # nothing above happens before a batch is asked for


class Mining:
    """Mines the triplets of a random pool every so often, once for an epoch however often a loader starts over.

    Where the catalogue has pairs, some of them are drawn, too, and what is mined are their negatives.

    The pool and the draw depend on (seed, epoch), the codes on the network at the epoch's beginning. Triplets that
    serve several epochs are part of the state of a run. Of several processes the first one mines for all.

    Args:
        catalogue: the photographs.
        rows: (n,) int64, those that a pool is drawn from.
        miner: mines a pool.
        batches: what the triplets are given to.
        describe: gives the codes of photographs.
        seed: of pool and draw.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rows: Tensor,
        miner: Any,
        batches: TripletBatches,
        describe: Describer | None,
        seed: int,
    ) -> None:
        self.catalogue = catalogue
        self.rows = rows
        self.miner = miner
        self.batches = batches
        self.describe = describe
        self.seed = seed
        self.mined: int | None = None
        self.pairs = pairs_among(catalogue, rows)

    def __call__(self, epoch: int) -> None:
        """Mines, unless the triplets at hand are this epoch's or still serve it."""
        if self.mined is not None and (epoch == self.mined or epoch % self.miner.every):
            return
        assert self.describe is not None
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.rows), generator=generator)
        pool = self.rows[order[: self.miner.size]].sort().values
        pairs = self.pairs
        if self.catalogue.pairs:
            pairs = pairs[torch.randperm(len(pairs), generator=generator)[: self.miner.queries]]
        rows = torch.unique(torch.cat([pool, pairs.flatten()]))  # sorted
        photos = [self.catalogue.photo(i) for i in rows.tolist()]
        codes = self.describe(photos, [self.catalogue.sizes[i] for i in rows.tolist()])
        labels = self.catalogue.label_ids()[rows]
        places = (torch.searchsorted(rows, pairs), torch.isin(rows, pool)) if self.catalogue.pairs else ()
        self.batches.set_triplets(first(lambda: rows[self.miner.mine(codes, labels, generator, *places)]))
        self.mined = epoch

    def state_dict(self) -> dict[str, Any]:
        """The triplets at hand and the epoch that they were mined in."""
        return {"mined": self.mined, "triplets": self.batches.triplets}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the triplets of the run that was cut off."""
        if state["mined"] is not None:
            self.batches.set_triplets(state["triplets"])
            self.mined = state["mined"]


def pairs_among(catalogue: Catalogue, rows: Tensor) -> Tensor:
    """The catalogue's pairs (P, 2) of rows that are both among some."""
    among = {*rows.tolist()} if catalogue.pairs else set()
    found = [pair for pair in catalogue.pairs if among.issuperset(pair)]
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 2)


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
    """P × K batches over the train split, or triplets mined from a pool where the miner says so.

    Raises:
        UserError: fewer classes than a batch takes, or nothing that triplets could be mined from.
    """
    rows = torch.tensor([i for i, split in enumerate(catalogue.splits) if split == "train"])
    if not getattr(miner, "pooled", False):
        share = data.get("view_share", 0.0) if any(catalogue.views) else 0.0
        labels, views = catalogue.label_ids()[rows], torch.tensor(catalogue.views)[rows]
        made = PKBatches(
            labels, views, batch.images, batch.images_per_class, share, steps, seed, rank, world, rows=rows
        )
        return EpochBatches(made, epoch)

    if any(catalogue.views) and data.get("view_share", 0.0) and not all(catalogue.views):
        raise UserError(
            "data.views with mining=pool: triplets are mined from labelled photographs, so that no unlabelled one "
            "would be learned from: take mining=all or mining=semi_hard, or leave data.views out."
        )
    triplets = TripletBatches(batch.images, steps, seed, rank, world)
    rows = torch.tensor([i for i in rows.tolist() if not catalogue.views[i]], dtype=torch.int64)
    counts = torch.unique(catalogue.label_ids()[rows], return_counts=True)[1]
    if len(counts) < 2 or counts.max() < 2:
        raise UserError(
            f"mining=pool: triplets are mined from labelled photographs of two classes at least, and the train split "
            f"in {catalogue.root} has {len(rows):,} of {len(counts):,}: take mining=all or mining=semi_hard."
        )
    if catalogue.pairs and not len(pairs_among(catalogue, rows)):
        raise UserError(
            f"mining=pool: of none of the pairs that {catalogue.root} brings are both photographs in the train split; "
            f"take mining=all or mining=semi_hard, which go by the labels."
        )
    return EpochBatches(triplets, epoch, Mining(catalogue, rows, miner, triplets, describe, seed))
