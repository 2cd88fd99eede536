"""Batches of P × K and of triplets: the same for any number of processes, and even over an epoch."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
import torch

from deepret.data.sampler import Draw, PKBatches, TripletBatches
from deepret.errors import UserError

SIZES = [9, 4, 2, 7, 1, 5, 4, 4]  # images of each class


def batches(
    sizes: list[int] = SIZES,
    photographs: int = 0,
    images: int = 16,
    per_class: int = 4,
    share: float = 0.5,
    steps: int = 6,
    seed: int = 0,
    **settings: int,
) -> PKBatches:
    """Batches over classes of so many images, and so many unlabelled photographs; row 0 belongs to nothing."""
    labels = [-1] + [c for c, size in enumerate(sizes) for _ in range(size)]
    labels += [100 + i for i in range(photographs)]
    views = [False] * (1 + sum(sizes)) + [True] * photographs
    return PKBatches(torch.tensor(labels), torch.tensor(views), images, per_class, share, steps, seed, **settings)


def class_of(row: int, sizes: list[int] = SIZES) -> int:
    """The class of a row of ``batches``; photographs have a class each from 100 on."""
    labels = [-1] + [c for c, size in enumerate(sizes) for _ in range(size)]
    return labels[row] if row < len(labels) else 100 + row - len(labels)


def over_ranks(world: int, make) -> list[list[Draw]]:
    """Each step's batch, put together from the ranks'."""
    ranks = [make(rank=rank, world=world) for rank in range(world)]
    return [[draw for part in step for draw in part] for step in zip(*ranks, strict=True)]


@pytest.mark.parametrize(("photographs", "share"), [(0, 0.0), (3, 0.3), (9, 0.5), (9, 0.8)])
@pytest.mark.parametrize("epoch", [0, 7])
def test_any_number_of_processes_has_the_same_batches(epoch: int, photographs: int, share: float) -> None:
    def make(rank: int, world: int) -> PKBatches:
        made = batches(photographs=photographs, share=share, seed=epoch, rank=rank, world=world)
        made.set_epoch(epoch)
        return made

    alone = over_ranks(1, make)
    assert [len(batch) for batch in alone] == [16] * 6
    for world in (2, 4, 8, 16):
        assert [len(batch) for batch in make(world - 1, world)] == [16 // world] * 6
        assert over_ranks(world, make) == alone


def test_a_batch_is_p_classes_of_k_images() -> None:
    for batch in batches(steps=50):
        groups = [batch[k : k + 4] for k in range(0, 16, 4)]
        names = [{class_of(draw.index) for draw in group} for group in groups]
        assert all(len(name) == 1 for name in names)
        assert len(set.union(*names)) == 4
        for group, (name,) in zip(groups, names, strict=True):
            assert len({draw.index for draw in group}) == min(SIZES[name], 4)
            assert len({(draw.index, draw.draw) for draw in group}) == 4  # augmented differently where it comes twice


def test_classes_and_images_come_evenly() -> None:
    classes: Counter[int] = Counter()
    images: dict[int, Counter[int]] = defaultdict(Counter)
    for batch in batches(images=12, steps=80):  # three classes of eight: shuffles end inside batches
        for k in range(0, 12, 4):
            name = class_of(batch[k].index)
            classes[name] += 1
            images[name].update(draw.index for draw in batch[k : k + 4])
        counts = [classes[c] for c in range(len(SIZES))]
        assert max(counts) - min(counts) <= 1
        for name, found in images.items():
            counts = [found[row] for row in range(1 + sum(SIZES)) if class_of(row) == name]
            assert max(counts) - min(counts) <= 1


def test_draws_of_an_epoch_are_numbered() -> None:
    counts: Counter[int] = Counter()
    for batch in batches(photographs=3, steps=30):
        for draw in batch:
            assert draw.draw == counts[draw.index]
            counts[draw.index] += 1


@pytest.mark.parametrize(("share", "views"), [(0.0, 0), (0.25, 1), (0.4, 2), (0.75, 3), (1.0, 4)])
def test_a_share_of_the_classes_is_of_unlabelled_photographs(share: float, views: int) -> None:
    seen: Counter[int] = Counter()
    for batch in batches(photographs=7, share=share, steps=21):
        names = [class_of(draw.index) for draw in batch]
        assert sum(name >= 100 for name in names) == 4 * views
        assert names == sorted(names, key=lambda name: name >= 100)
        photographs = Counter(draw.index for draw in batch if class_of(draw.index) >= 100)
        assert set(photographs.values()) <= {4}  # K views of one photograph
        seen.update(photographs.keys())
    if views:
        assert max(seen.values()) - min(seen.values()) <= 1
        assert len(seen) == 7


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_one_kind_alone_fills_the_batch(share: float) -> None:
    assert all(class_of(draw.index) < 100 for batch in batches(share=share) for draw in batch)
    assert all(draw.index >= 1 for batch in batches([], 5, share=share) for draw in batch)


def test_an_epoch_depends_on_seed_and_number_alone() -> None:
    made = batches()
    first = list(made)
    assert list(made) == first
    made.set_epoch(5)
    fifth = list(made)
    assert [[d.index for d in b] for b in fifth] != [[d.index for d in b] for b in first]
    assert {draw.epoch for batch in fifth for draw in batch} == {5}
    resumed = batches()
    resumed.set_epoch(5)
    assert list(resumed) == fifth
    assert list(batches(seed=1)) != first
    assert len(made) == len(first) == 6
    assert list(batches(steps=3)) == first[:3]  # fewer steps are the first of more


def test_rows_are_those_of_the_catalogue() -> None:
    labels, views = torch.tensor([3, 3, 5, 5]), torch.zeros(4, dtype=torch.bool)
    made = PKBatches(labels, views, 4, 2, 0.0, 3, 0, rows=torch.tensor([10, 20, 30, 40]))
    for batch in made:
        assert {frozenset((batch[k].index, batch[k + 1].index)) for k in (0, 2)} == {
            frozenset((10, 20)),
            frozenset((30, 40)),
        }


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"images": 18}, ["batch.images=18", "batch.images_per_class=4", "take batch.images=16"]),
        ({"images": 3}, ["batch.images=3", "take batch.images=8"]),
        ({"images": 4}, ["batch.images=4", "two classes at least", "take batch.images=8"]),
        ({"world": 3}, ["batch.images=16", "3 processes", "take batch.images=12"]),
        ({"images": 64}, ["batch.images=64", "16 classes", "8 labelled classes", "at most batch.images=32"]),
        ({"sizes": [3]}, ["4 classes", "1 labelled classes", "give more classes"]),
        ({"sizes": [], "photographs": 0}, ["0 labelled classes in train and 0 unlabelled photographs"]),
        ({"sizes": [], "photographs": 3}, ["3 unlabelled photographs", "at most batch.images=12"]),
        (
            {"images": 64, "photographs": 3, "share": 0.25},
            ["16 classes", "4 of them unlabelled", "data.view_share=0.25", "at most batch.images=44"],
        ),
    ],
)
def test_batches_that_cannot_be_made(settings: dict[str, int], parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        batches(**settings)
    assert all(part in str(caught.value) for part in parts), caught.value


def test_the_largest_batch_that_is_proposed_can_be_made() -> None:
    assert len(next(iter(batches(images=32)))) == 32
    assert len(next(iter(batches(images=44, photographs=3, share=0.25)))) == 44
    for images, settings in ((36, {}), (48, {"photographs": 3, "share": 0.25})):
        with pytest.raises(UserError):
            batches(images=images, **settings)


# Triplets -------------------------------------------------------------------------------------------------------------

TRIPLETS = torch.tensor([[10 * t, 10 * t + 1, 10 * t + 2] for t in range(11)])


def triplet_batches(images: int = 14, steps: int = 9, seed: int = 0, rank: int = 0, world: int = 1) -> TripletBatches:
    made = TripletBatches(images, steps, seed, rank, world)
    made.set_triplets(TRIPLETS)
    return made


def test_triplets_stay_whole_and_come_evenly() -> None:
    seen: Counter[int] = Counter()
    for batch in triplet_batches():
        assert len(batch) == 12  # four triplets: 14 images hold no fifth
        rows = [draw.index for draw in batch]
        assert all(rows[k + 1] - rows[k] == rows[k + 2] - rows[k + 1] == 1 for k in range(0, 12, 3))
        assert len(set(rows)) == 12
        seen.update(rows[::3])
        counts = [seen[10 * t] for t in range(11)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_whole_triplets(world: int) -> None:
    alone = list(triplet_batches())
    assert over_ranks(world, lambda rank, world: triplet_batches(rank=rank, world=world)) == alone
    for batch in triplet_batches(rank=1, world=world):
        assert len(batch) == 12 // world
        assert all(batch[k].index % 10 == 0 for k in range(0, len(batch), 3))


def test_a_row_of_several_triplets_is_augmented_each_time() -> None:
    made = TripletBatches(6, 4, 0)
    made.set_triplets(torch.tensor([[0, 1, 2], [0, 2, 1]]))
    made.set_epoch(3)
    draws = [draw for batch in made for draw in batch]
    assert Counter(draws) == Counter(Draw(row, 3, draw) for row in range(3) for draw in range(8))


def test_fewer_triplets_than_a_batch_holds_come_again() -> None:
    made = TripletBatches(30, 2, 0)
    made.set_triplets(TRIPLETS[:3])
    assert [len(batch) for batch in made] == [30, 30]


def test_triplets_depend_on_the_epoch_and_can_be_replaced() -> None:
    made = triplet_batches()
    first = list(made)
    assert list(made) == first
    made.set_epoch(1)
    assert [[d.index for d in b] for b in made] != [[d.index for d in b] for b in first]
    made.set_triplets(TRIPLETS[:2] + 500)
    assert {draw.index for batch in made for draw in batch} == {500, 501, 502, 510, 511, 512}


def test_triplets_that_are_not_there() -> None:
    for images, world, mend in ((7, 3, 9), (16, 2, 12), (2, 1, 3)):  # 16 images hold five triplets
        with pytest.raises(UserError, match=rf"{images} holds .* {world} processes; take batch.images={mend}\."):
            TripletBatches(images, 1, 0, world=world)
        assert len(TripletBatches(mend, 1, 0, world=world)) == 1
    made = TripletBatches(6, 4, 0)
    made.set_triplets(torch.empty(0, 3, dtype=torch.int64))
    assert list(made) == []  # the margin is met everywhere
    with pytest.raises(RuntimeError, match="set_triplets"):
        next(iter(TripletBatches(6, 1, 0)))
