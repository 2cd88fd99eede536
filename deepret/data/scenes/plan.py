"""Which pictures there will be: classes, splits, labels, and whose labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deepret.data.scenes.building import kind_of
from deepret.data.scenes.canvas import stream

Key = tuple[str, int]
"""Group and number of a building."""


@dataclass(frozen=True)
class Recipe:
    """All that the pictures depend on; see `deepret.data.scenes.source.Scenes` for what each means."""

    train_classes: int
    val_classes: int
    test_classes: int
    images_per_class: int
    distractors: int
    size: int
    noise: float
    seed: int


@dataclass(frozen=True)
class Picture:
    """One picture to be taken.

    Args:
        path: of its file, relative to the set's folder.
        split: train, val, test or distractor.
        label: what it is filed under; empty for distractors.
        shows: the building that it really shows, or None for a street or park.
        street: group of the buildings that stand around.
        number: of its own, which its randomness comes from.
    """

    path: str
    split: str
    label: str
    shows: Key | None
    street: str
    number: int


def label_of(seed: int, key: Key) -> str:
    """The label of a class, such as ``test_004_castle``."""
    return f"{key[0]}_{key[1]:03d}_{kind_of(seed, *key)}"


def kits(recipe: Recipe, split: str) -> int:
    """How many kits a split's buildings share: about one for four classes."""
    count = {"train": recipe.train_classes, "val": recipe.val_classes, "test": recipe.test_classes}[split]
    return max(2, round(count / 4))


def street_size(recipe: Recipe, split: str) -> int:
    """How many nameless buildings stand around in a split."""
    classes = {"train": recipe.train_classes, "val": recipe.val_classes, "test": recipe.test_classes}[split]
    return max(2, min(16, classes if classes > 6 else classes // 2))


def plan(recipe: Recipe) -> list[Picture]:
    """Every picture of the set, in the order of images.csv."""
    pictures: list[Picture] = []
    for split, classes in (("train", recipe.train_classes), ("val", recipe.val_classes), ("test", recipe.test_classes)):
        for c in range(classes):
            label = label_of(recipe.seed, (split, c))
            for k in range(recipe.images_per_class):
                path = f"{split}/{label}/{k:02d}.jpg"
                pictures.append(Picture(path, split, label, (split, c), f"{split}_street", len(pictures)))
    pictures = _mislabelled(pictures, recipe)
    rng = stream(recipe.seed, "distractors")
    for k in range(recipe.distractors):
        shows = ("stranger", k // 2) if rng.random() < 0.75 else None  # each may be seen twice
        pictures.append(Picture(f"distractor/{k:04d}.jpg", "distractor", "", shows, "test_street", len(pictures)))
    return pictures


def _mislabelled(pictures: list[Picture], recipe: Recipe) -> list[Picture]:
    """Gives the noise share of the train pictures another subject: one half another class, the other a stranger."""
    train = [p.number for p in pictures if p.split == "train"]
    wrong = stream(recipe.seed, "noise").permutation(train)[: round(recipe.noise * len(train))]
    rng = stream(recipe.seed, "noise", "subjects")
    changed = list(pictures)
    for i, number in enumerate(wrong):
        picture = changed[number]
        own = picture.shows[1] if picture.shows else 0
        other = (own + int(rng.integers(1, recipe.train_classes))) % recipe.train_classes if i < len(wrong) // 2 else 0
        key = ("train", other) if i < len(wrong) // 2 else ("misfit", i)
        changed[number] = replace(picture, shows=key)
    return changed
