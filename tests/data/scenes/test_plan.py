"""The plan: disjoint classes, and the noise share counted exactly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepret.data.scenes.plan import Recipe, label_of, plan


def recipe(**changes: object) -> Recipe:
    return Recipe(
        **{
            "train_classes": 5,
            "val_classes": 2,
            "test_classes": 3,
            "images_per_class": 4,
            "distractors": 7,
            "size": 64,
            "noise": 0.0,
            "seed": 0,
        }
        | changes
    )  # type: ignore[arg-type]


def test_counts_and_splits() -> None:
    pictures = plan(recipe())
    labels = {split: {p.label for p in pictures if p.split == split} for split in ("train", "val", "test")}
    assert [len(labels[s]) for s in ("train", "val", "test")] == [5, 2, 3]
    assert not labels["train"] & labels["val"] | labels["train"] & labels["test"] | labels["val"] & labels["test"]
    shown = {split: {p.shows for p in pictures if p.split == split} for split in ("train", "val", "test", "distractor")}
    streets = {split: {p.street for p in pictures if p.split == split} for split in ("train", "val", "test")}
    assert not shown["train"] & shown["test"]
    assert not shown["test"] & shown["distractor"]
    assert not streets["train"] & streets["test"]
    assert [p.label for p in pictures if p.split == "distractor"] == [""] * 7
    assert len({p.path for p in pictures}) == len(pictures) == 47
    assert [p.number for p in pictures] == list(range(47))


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.integers(2, 7), st.integers(2, 6), st.integers(0, 5))
def test_noise_is_counted_exactly(noise: float, classes: int, images: int, seed: int) -> None:
    settings_ = recipe(noise=noise, train_classes=classes, images_per_class=images, seed=seed)
    train = [p for p in plan(settings_) if p.split == "train"]
    wrong = [p for p in train if p.shows is None or p.shows[0] != "train" or label_of(seed, p.shows) != p.label]
    assert len(wrong) == round(noise * classes * images)
    assert sum(p.shows[0] == "train" for p in wrong if p.shows) == len(wrong) // 2
    clean = [p for p in plan(settings_) if p.split != "train"]
    assert clean == [
        p for p in plan(recipe(train_classes=classes, images_per_class=images, seed=seed)) if p.split != "train"
    ]


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_same_recipe_same_plan(noise: float) -> None:
    assert plan(recipe(noise=noise)) == plan(recipe(noise=noise))
