from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from deepret.data.catalogue import Catalogue
from deepret.data.draws import Draw
from deepret.data.loading import Loader
from deepret.errors import UserError
from deepret.training.batches import EpochBatches, epoch_batches
from deepret.training.callbacks import KeepMined
from deepret.training.mining.pool import Pool
from deepret.training.settings import BatchSettings

PHOTOS = 24
CATALOGUE = Catalogue(
    Path(),
    paths=[f"{i}.png" for i in range(PHOTOS)],
    labels=[str(i % 4) for i in range(PHOTOS)],
    splits=["train"] * PHOTOS,
    sizes=[(40, 30)] * PHOTOS,
    boxes=[[]] * PHOTOS,
    views=[False] * PHOTOS,
)


class Describes:
    """Codes that are others at each call, as those of a network that learns are."""

    def __init__(self, calls: int = 0) -> None:
        self.calls = calls

    def __call__(self, photos: Sequence[Any], sizes: Any = None) -> Tensor:
        self.calls += 1
        return torch.randn(len(photos), 3, generator=torch.Generator().manual_seed(self.calls))


class Stage:
    """The batches of a stage whose epoch is said by hand."""

    def __init__(self, every: int, calls: int = 0) -> None:
        self.describe = Describes(calls)
        self.epoch = 0
        self.batches: EpochBatches = epoch_batches(
            CATALOGUE,
            Pool(2.0, size=20, every=every),
            BatchSettings(images=6, images_per_class=3, size=32),
            {},
            steps=5,
            seed=7,
            describe=self.describe,  # type: ignore[arg-type]
            epoch=lambda: self.epoch,
            rank=0,
            world=1,
        )

    def drawn(self, epoch: int) -> list[list[Draw]]:
        self.epoch = epoch
        return list(self.batches)


class Rows(Dataset[Any]):
    """What a loader's workers load: the draw itself."""

    def __getitem__(self, draw: Draw) -> Draw:
        return draw


@pytest.mark.parametrize(("every", "mined"), [(1, 4), (2, 2), (3, 2), (9, 1)])
def test_a_pool_is_mined_every_so_often(every: int, mined: int) -> None:
    stage = Stage(every)
    for epoch in range(4):
        assert len(stage.drawn(epoch)) == 5
    assert stage.describe.calls == mined


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_mines_once_an_epoch(workers: int) -> None:
    stage = Stage(1)
    loader: Loader[Any] = Loader(
        Rows(), workers=workers, batch_sampler=stage.batches, collate_fn=list, persistent_workers=workers > 0
    )
    for epoch in range(3):
        stage.epoch = epoch
        assert len(list(loader)) == 5
        assert stage.describe.calls == epoch + 1


def test_nothing_is_mined_before_a_batch_is_asked_for() -> None:
    stage = Stage(1)
    batches: Iterator[list[Draw]] = iter(stage.batches)
    assert stage.describe.calls == 0
    next(batches)
    assert stage.describe.calls == 1


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_stage_goes_on_with_the_triplets_that_it_had(every: int, cut: int) -> None:
    alone = Stage(every)
    states, epochs = [], []
    for epoch in range(4):
        assert alone.batches.prepare is not None
        states.append((alone.describe.calls, KeepMined(alone.batches.prepare).state_dict()))
        epochs.append(alone.drawn(epoch))
    calls, state = states[cut]
    resumed = Stage(every, calls)  # its network is where the other's was at that epoch
    assert resumed.batches.prepare is not None
    KeepMined(resumed.batches.prepare).load_state_dict(state)
    assert [resumed.drawn(epoch) for epoch in range(cut, 4)] == epochs[cut:]


@pytest.mark.parametrize("labels", [["view"] * 3, ["a"] * 3, ["a", "b", "c"]])
def test_a_pool_without_any_triplet_is_refused_at_once(labels: list[str]) -> None:
    catalogue = CATALOGUE.subset(range(3))
    views = [label == "view" for label in labels]
    catalogue = replace(catalogue, labels=labels, views=views)
    batch = BatchSettings(images=6, images_per_class=3, size=32)
    with pytest.raises(UserError, match=r"mining=pool.*mining=semi_hard"):
        epoch_batches(catalogue, Pool(), batch, {}, 1, 0, None, lambda: 0, 0, 1)


def paired(pairs: list[tuple[int, int]], miner: Pool, splits: Sequence[str] = ("train",)) -> EpochBatches:
    catalogue = replace(CATALOGUE, pairs=pairs, splits=[splits[i % len(splits)] for i in range(PHOTOS)])
    return epoch_batches(
        catalogue,
        miner,
        BatchSettings(6, 3, 32),
        {},
        5,
        7,
        Describes(),
        lambda: 0,
        0,
        1,  # type: ignore[arg-type]
    )


def test_pairs_alone_are_query_and_positive() -> None:
    pairs = [(0, 4), (4, 8), (21, 1), (2, 6)]
    batches = paired(pairs, Pool(9.0, size=5, negatives=3, one_a_class=True))
    drawn = [draw.index for batch in batches for draw in batch]
    triplets = {tuple(drawn[i : i + 3]) for i in range(0, len(drawn), 3)}
    assert {triplet[:2] for triplet in triplets} == set(pairs)
    assert all(q % 4 != n % 4 for q, _, n in triplets)
    assert len({n for _, _, n in triplets}) <= 5  # out of the pool


def test_so_many_pairs_are_drawn() -> None:
    pairs = [(i, (i + 4) % PHOTOS) for i in range(PHOTOS)]
    batches = paired(pairs, Pool(9.0, size=20, queries=3))
    drawn = [draw.index for batch in batches for draw in batch]
    queries = {(drawn[i], drawn[i + 1]) for i in range(0, len(drawn), 3)}
    assert len(queries) <= 3
    assert queries <= set(pairs)


def test_pairs_of_other_splits_are_none() -> None:
    with pytest.raises(UserError, match=r"mining=pool: of none of the pairs that .* both photographs in the train spl"):
        paired([(0, 1), (1, 5)], Pool(9.0), ("train", "val"))
