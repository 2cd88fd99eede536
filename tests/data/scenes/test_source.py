"""The data part: the same bytes however many processes, a sound catalogue, plain words for impossible wishes."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepret.data.catalogue import Catalogue
from deepret.data.scenes.render import render
from deepret.data.scenes.source import Scenes, truth
from deepret.errors import UserError
from deepret.parts import check, signature

TARGET = "deepret.data.scenes.source.Scenes"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    return Scenes(3, 2, 2, 3, 3, 64, noise=0.4, cache=str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def catalogue(scenes: Scenes) -> Catalogue:
    return scenes.load()


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.mark.slow
def test_same_bytes_however_many_processes(scenes: Scenes, catalogue: Catalogue, tmp_path: Path) -> None:
    render(scenes.recipe, tmp_path, processes=2)
    assert digests(tmp_path) == digests(catalogue.root)


@pytest.mark.slow
def test_same_bytes_again(scenes: Scenes, catalogue: Catalogue, tmp_path: Path) -> None:
    render(scenes.recipe, tmp_path, processes=1)
    assert digests(tmp_path) == digests(catalogue.root)


@pytest.mark.slow
def test_another_seed_gives_other_pictures(scenes: Scenes, catalogue: Catalogue, tmp_path: Path) -> None:
    render(replace(scenes.recipe, seed=1), tmp_path, processes=1)
    assert not set(digests(tmp_path).values()) & set(digests(catalogue.root).values())


def test_catalogue_is_sound(catalogue: Catalogue) -> None:
    assert Counter(catalogue.splits) == {"train": 9, "val": 6, "test": 6, "distractor": 3}
    for i, path in enumerate(catalogue.paths):
        with Image.open(catalogue.root / path) as image:
            assert image.size == catalogue.sizes[i]
            assert image.format == "JPEG"
        assert max(catalogue.sizes[i]) == 64
        for x0, y0, x1, y1 in catalogue.boxes[i]:
            assert 0 <= x0 < x1 <= catalogue.sizes[i][0]
            assert 0 <= y0 < y1 <= catalogue.sizes[i][1]
        assert bool(catalogue.labels[i]) == (catalogue.splits[i] != "distractor")
    assert not any(catalogue.views)


def test_list_says_the_same(catalogue: Catalogue) -> None:
    with (catalogue.root / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["path"] for r in rows] == catalogue.paths
    assert [r["label"] for r in rows] == catalogue.labels
    for row, record in zip(rows, truth(catalogue.root)["images"], strict=True):
        if record["own"] is None:
            assert row["x0"] == ""
        else:
            assert [float(row[k]) for k in ("x0", "y0", "x1", "y1")] == record["boxes"][record["own"]]


def test_truth_tells_wrong_labels(catalogue: Catalogue) -> None:
    images = truth(catalogue.root)["images"]
    wrong = [r for r in images if r["label"] and r["shows"] != r["label"]]
    assert len(wrong) == round(0.4 * 9)
    assert all(r["split"] == "train" for r in wrong)
    for record in images:
        assert np.shape(record["homography"]) in ((3, 3), ())
        assert -45 <= record["azimuth"] <= 45
    references = truth(catalogue.root)["references"]
    assert set(references) == {label for label in catalogue.labels if label}
    for reference in references.values():
        with Image.open(catalogue.root / reference["path"]) as image:
            assert list(image.size) == reference["size"]


def test_views_join(scenes: Scenes, catalogue: Catalogue, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "green").save(tmp_path / "tree.png")
    joined = Scenes(**vars(scenes.recipe), cache=str(scenes.cache), views=str(tmp_path)).load()
    assert len(joined) == len(catalogue) + 1
    assert joined.views[-1]
    assert joined.splits[-1] == "train"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train_classes", 1),
        ("val_classes", 0),
        ("test_classes", 0),
        ("images_per_class", 1),
        ("size", 47),
        ("size", 65),
        ("noise", 1.5),
        ("noise", -0.1),
        ("distractors", -1),
    ],
)
def test_impossible_wishes(key: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"data\.{key}={value}"):
        check({"data": {"_target_": TARGET, key: value}})


def test_yaml_lists_every_key() -> None:
    import yaml

    listed = yaml.safe_load((Path(__file__).parents[3] / "conf" / "data" / "scenes.yaml").read_text())
    assert listed.pop("_target_") == TARGET
    assert set(listed) == set(signature(TARGET))
    listed.pop("cache")
    assert Scenes(**listed).recipe == Scenes().recipe
