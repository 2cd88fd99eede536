from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from deepret.data.augment import Augmentation
from deepret.data.catalogue import Catalogue
from deepret.data.loading import Batch, in_parts, photo_loader, train_loader
from deepret.data.photo import Photo
from deepret.data.sampler import Draw, PKBatches
from deepret.errors import UserError
from deepret.models.input.longer import Longer
from deepret.models.input.square import Square

SIZES = [(64, 48), (48, 64), (64, 64), (64, 48), (100, 60), (64, 48), (48, 64)]


@pytest.fixture(autouse=True)
def in_a_minute() -> Iterator[None]:
    """Ends a test whose workers hang."""

    def stop(*_: object) -> None:
        raise TimeoutError("the workers hang")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Fourteen photographs of two classes, in four shapes; the last four are unlabelled."""
    root = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    sizes = SIZES * 2
    for i, (width, height) in enumerate(sizes):
        pixels = random.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
        Image.fromarray(pixels).resize((width, height)).save(root / f"{i}.jpg", quality=95)
    n = len(sizes)
    views = [i >= 10 for i in range(n)]
    labels = [f"view:{i}" if view else "ab"[i % 2] for i, view in enumerate(views)]
    return Catalogue(root, [f"{i}.jpg" for i in range(n)], labels, ["train"] * n, sizes, [[]] * n, views)


def photos(catalogue: Catalogue) -> list[Photo]:
    return [catalogue.photo(i) for i in range(len(catalogue))]


def loaded(catalogue: Catalogue, workers: int = 0, rank: int = 0, world: int = 1, epoch: int = 0) -> list[Batch]:
    batches = PKBatches(
        catalogue.label_ids(), torch.tensor(catalogue.views), 12, 3, 0.5, batches=3, seed=7, rank=rank, world=world
    )
    batches.set_epoch(epoch)
    return list(train_loader(catalogue, 64, 16, Augmentation(zoom=0.7), batches, workers=workers, seed=5))


def unpacked(batch: Batch) -> list[Tensor]:
    """The images of a batch in the sampler's order, by a plain loop."""
    flat = [image for part in batch.parts for image in part]
    return [flat[row] for row in batch.order.tolist()]


# Batches of parts -----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 99)), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_parts_and_order_give_back_what_went_in(items: list[tuple[int, int, int]]) -> None:
    images = [torch.full((3, h, w), i, dtype=torch.uint8) for i, (h, w, _) in enumerate(items)]
    batch = in_parts([(image, n, -n) for image, (_, _, n) in zip(images, items, strict=True)])
    assert len(batch.parts) == len({image.shape for image in images})
    assert all(torch.equal(a, b) for a, b in zip(unpacked(batch), images, strict=True))
    assert batch.index.tolist() == [n for _, _, n in items]
    assert batch.labels.tolist() == [-n for _, _, n in items]
    codes = torch.cat([part.float().mean(dim=(1, 2, 3)) for part in batch.parts])  # as a training step computes them
    assert codes[batch.order].tolist() == list(range(len(items)))


def test_a_training_batch_follows_the_sampler(catalogue: Catalogue) -> None:
    for batch in loaded(catalogue):
        assert len(batch.order) == len(batch.index) == len(batch.labels) == 12
        assert torch.equal(batch.labels, catalogue.label_ids()[batch.index])
        assert all(part.dtype == torch.uint8 for part in batch.parts)
        assert all(side % 16 == 0 and side <= 64 for part in batch.parts for side in part.shape[2:])
        assert sum(catalogue.views[i] for i in batch.index.tolist()) == 6
    assert len({part.shape[1:] for batch in loaded(catalogue) for part in batch.parts}) > 2


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_pixel(catalogue: Catalogue, workers: int) -> None:
    for here, there in zip(loaded(catalogue), loaded(catalogue, workers), strict=True):
        assert torch.equal(here.index, there.index)
        assert torch.equal(here.order, there.order)
        assert all(torch.equal(a, b) for a, b in zip(here.parts, there.parts, strict=True))


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_the_same_augmented_images(catalogue: Catalogue, world: int) -> None:
    shares = [loaded(catalogue, rank=rank, world=world) for rank in range(world)]
    for step, whole in enumerate(loaded(catalogue)):
        together = [image for share in shares for image in unpacked(share[step])]
        assert all(torch.equal(a, b) for a, b in zip(together, unpacked(whole), strict=True))


def test_an_image_drawn_twice_is_augmented_twice(catalogue: Catalogue) -> None:
    draws = [[Draw(0, 0, 0), Draw(0, 0, 1), Draw(0, 1, 0), Draw(0, 0, 0)]]
    [batch] = train_loader(catalogue, 64, 16, Augmentation(), draws)
    first, second, third, fourth = unpacked(batch)
    assert torch.equal(first, fourth)
    assert not torch.equal(first, second)
    assert not torch.equal(first, third)


def test_large_photographs_are_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    Image.effect_noise((1600, 1200), 60).save(tmp_path / "large.jpg")
    catalogue = Catalogue(
        tmp_path, ["large.jpg"] * 2, ["a", "v"], ["train"] * 2, [(1600, 1200)] * 2, [[]] * 2, [False, True]
    )
    decoded = []

    class Watched(Augmentation):
        def __call__(self, image: Image.Image, *rest: Any) -> Tensor:
            decoded.append(image.size)
            return super().__call__(image, *rest)

    list(train_loader(catalogue, 192, 32, Watched(crop_area=0.95, view_area=0.35), [[Draw(0, 0, 0), Draw(1, 0, 0)]]))
    assert decoded == [(200, 150), (400, 300)]
    decoded.clear()
    watched = Watched(crop_area=1.0)
    for shape, size in ((Square.resized, 150), (Square.resized, 152), (Longer.resized, 200)):
        list(train_loader(catalogue, size, 1, watched, [[Draw(0, 0, 0)]], shape=shape))
    assert decoded == [(200, 150), (400, 300), (200, 150)]  # the shorter side fills a square


@pytest.mark.parametrize("workers", [0, 1])
def test_every_training_image_has_the_inputs_shape(catalogue: Catalogue, workers: int) -> None:
    draws = [[Draw(i, 0, 0) for i in range(len(catalogue))]]
    [batch] = train_loader(catalogue, 60, 16, Augmentation(), draws, workers=workers, shape=Square.resized)
    assert [tuple(part.shape) for part in batch.parts] == [(len(catalogue), 3, 64, 64)]


def test_the_seed_changes_the_augmentation(catalogue: Catalogue) -> None:
    [one], [other] = (train_loader(catalogue, 64, 16, Augmentation(), [[Draw(0, 0, 0)]], seed=s) for s in (1, 2))
    assert not torch.equal(one.parts[0], other.parts[0])


# Photographs as they are ----------------------------------------------------------------------------------------------


def described(catalogue: Catalogue, **settings: Any) -> list[tuple[Tensor, list[int]]]:
    input = Longer([0.0] * 3, [1.0] * 3, size=64, multiple=16)
    settings = {"sizes": catalogue.sizes, "batch_size": 3, "workers": 0, **settings}
    return [(images, where.tolist()) for images, where in photo_loader(photos(catalogue), input=input, **settings)]


@pytest.mark.parametrize("world", [1, 2, 3, 30])
@pytest.mark.parametrize("known", [True, False])
def test_every_photograph_once_over_the_ranks(catalogue: Catalogue, world: int, known: bool) -> None:
    input = Longer([0.0] * 3, [1.0] * 3, size=64, multiple=16)
    sizes = catalogue.sizes if known else None
    found: list[int] = []
    for rank in range(world):
        for images, where in described(catalogue, sizes=sizes, rank=rank, world=world):
            assert images.dtype == torch.uint8
            assert 1 <= len(images) <= 3
            for image, i in zip(images, where, strict=True):
                assert torch.equal(image, input.tensor(catalogue.photo(i)))
            found += where
    assert sorted(found) == list(range(14))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_photograph(catalogue: Catalogue, workers: int) -> None:
    for (here, at), (there, where) in zip(described(catalogue), described(catalogue, workers=workers), strict=True):
        assert at == where
        assert torch.equal(here, there)


def test_crops_come_in_their_own_shapes(catalogue: Catalogue) -> None:
    input = Longer([0.0] * 3, [1.0] * 3, size=64, multiple=16)
    crops = [Photo(catalogue.photo(0).path, (0, 0, 32, 48)), catalogue.photo(0), catalogue.photo(3)]
    found = {tuple(w.tolist()): i.shape for i, w in photo_loader(crops, [(64, 48)] * 3, input, 8, 0)}
    assert found == {(1, 2): (2, 3, 48, 64), (0,): (1, 3, 48, 32)}


def test_nothing_to_load_is_no_batch() -> None:
    input = Longer([0.0] * 3, [1.0] * 3, size=64, multiple=16)
    assert list(photo_loader([], [], input, 4, 0)) == []


# What loaders leave alone, and what they say --------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_leaves_the_random_state_alone(catalogue: Catalogue, workers: int) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loaded(catalogue, workers)
    described(catalogue, workers=workers)
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_begin_beside_threads_of_opencv(catalogue: Catalogue) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        cv2.GaussianBlur(np.zeros((1500, 1500, 3), np.uint8), (0, 0), 3.0)  # large enough to start them
        for _ in range(2):
            described(catalogue, workers=2)
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_vanished_file_is_one_message(tmp_path: Path, workers: int) -> None:
    gone = Photo(tmp_path / "gone.jpg")
    input = Longer([0.0] * 3, [1.0] * 3, size=64, multiple=16)
    with pytest.raises(UserError, match=r"^[^\n]*gone\.jpg[^\n]*no such file[^\n]*$"):
        list(photo_loader([gone], [(64, 48)], input, 4, workers))
