"""Cleaning from its first stage to its last: rendered places under wrong labels, and sets of few photographs."""

from __future__ import annotations

import shutil
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.pictures import picture
from PIL import Image

from deepret.cleaning.boxes.propagation import Propagation
from deepret.cleaning.features.base import Extractor
from deepret.cleaning.features.rootsift import RootSIFT
from deepret.cleaning.settings import GraphSettings, LinkSettings
from deepret.cleaning.shortlist.everything import Everything
from deepret.cleaning.shortlist.vocabulary import Vocabulary
from deepret.cleaning.stages import FLOOR, UNCALIBRATED, Cleaned, Cleaning
from deepret.cleaning.verification.affine import Affine
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Box, decode, header_size
from deepret.data.scenes.source import Scenes, truth
from deepret.errors import UserError

pytestmark = pytest.mark.slow


def cleaning(
    catalogue: Catalogue,
    cache: Path,
    splits: tuple[str, ...] = ("train",),
    extractor: Extractor | None = None,
    shortlist: Any = None,
    links: dict[str, Any] | None = None,
    threads: int | None = 2,
    **graph: Any,
) -> Cleaning:
    return Cleaning(
        catalogue,
        splits,
        extractor or RootSIFT(size=200, count=300),
        Affine(),
        shortlist or Everything(),
        Propagation(),
        LinkSettings(**(links or {})),
        GraphSettings(**graph),
        cache,
        threads=threads,
    )


def done(some: Cleaning) -> Cleaned:
    unusable = some.look()
    some.match()
    return some.finish(unusable)


def labels(found: Cleaned) -> dict[str, str]:
    return {found.catalogue.paths[row]: label for one in found.classes for row, label in one.labels.items()}


def reasons(found: Cleaned) -> dict[str, str]:
    return {found.catalogue.paths[row]: why for one in found.classes for row, why in one.reasons.items()}


def told(found: Cleaned) -> object:
    return labels(found), reasons(found), [one.threshold for one in found.classes], repr(found.boxes.last.tolist())


def overlap(one: Box, two: Box) -> float:
    width = max(min(one[2], two[2]) - max(one[0], two[0]), 0)
    height = max(min(one[3], two[3]) - max(one[1], two[1]), 0)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, two)]
    return width * height / (sum(areas) - width * height)


def catalogue(root: Path, names: list[str], **columns: list[Any]) -> Catalogue:
    """The photographs of crops: of the label before the dash, in train."""
    n = len(names)
    given = {
        "labels": [Path(name).name.partition("-")[0] for name in names],
        "splits": ["train"] * n,
        "sizes": [header_size(root / name) for name in names],
        "views": [False] * n,
    } | columns
    return Catalogue(root, names, boxes=[[] for _ in range(n)], **given)  # type: ignore[arg-type]


def things(*which: int) -> list[str]:
    return [f"{thing}-{i}.png" for thing in which for i in range(5)]


@pytest.fixture(scope="module")
def rendered(scenes: Scenes, tmp_path_factory: pytest.TempPathFactory) -> Cleaned:
    """A set cleaned as deepret clean does it, with smaller photographs."""
    some = cleaning(scenes.load(), tmp_path_factory.mktemp("cleaned"), extractor=RootSIFT(size=480, count=500))
    return done(some)


def test_what_is_kept_shows_what_its_label_says(rendered: Cleaned) -> None:
    records = truth(rendered.catalogue.root)["images"]
    right = {r["path"] for r in records if r["split"] == "train" and r["shows"] == r["label"]}
    wrong = {r["path"] for r in records if r["split"] == "train"} - right
    assert len(wrong) > 10
    assert set(labels(rendered)) <= right
    assert len(labels(rendered)) >= 0.6 * len(right)
    assert wrong <= set(reasons(rendered))
    assert set(labels(rendered).values()) <= set(rendered.catalogue.labels)


def test_boxes_are_where_the_buildings_are_and_better_than_before(rendered: Cleaned) -> None:
    records = truth(rendered.catalogue.root)["images"]
    first, last = [], []
    for one in rendered.classes:
        for row in one.labels:
            true = records[row]["boxes"][records[row]["own"]]
            first.append(overlap(tuple(rendered.boxes.first[row]), true))  # type: ignore[arg-type]
            last.append(overlap(tuple(rendered.boxes.last[row]), true))  # type: ignore[arg-type]
    assert np.mean(last) > np.mean(first) + 0.1
    assert np.mean(last) > 0.6
    kept = sorted(row for one in rendered.classes for row in one.labels)
    assert np.nonzero(np.isfinite(rendered.boxes.last[:, 0]))[0].tolist() == kept


def test_the_threshold_is_read_off_pairs_of_different_buildings(rendered: Cleaned) -> None:
    assert rendered.threshold is not None
    assert rendered.rate == pytest.approx(0.01 / 5)
    assert {one.threshold for one in rendered.classes} == {max(rendered.threshold.at(rendered.rate), FLOOR)}
    assert rendered.across.count == sum(6 * 6 for _ in combinations(range(6), 2))
    assert set(rendered.seconds) == {"features", "pairs", "copies", "threshold", "graph", "boxes"}


@pytest.mark.parametrize("shortlist", [Everything(), Vocabulary(bound=4, neighbours=3, words=60)], ids=["all", "words"])
def test_two_things(crops: Path, tmp_path: Path, shortlist: Any) -> None:
    found = done(cleaning(catalogue(crops, things(0, 1)), tmp_path, shortlist=shortlist))
    assert labels(found) == {name: name[0] for name in things(0, 1)}
    assert found.threshold is not None
    assert found.across.count == 25
    assert found.threshold.at(found.rate) < FLOOR
    assert {one.threshold for one in found.classes} == {FLOOR}
    assert np.isfinite(found.boxes.last).all()


def test_a_photograph_under_a_wrong_label(crops: Path, tmp_path: Path) -> None:
    names = [*things(0, 1), "2-0.png"]
    some = catalogue(crops, names, labels=[*"00001", *"11110", "0"])
    found = done(cleaning(some, tmp_path))
    assert labels(found) == {name: name[0] for name in names if name not in ("0-4.png", "1-4.png", "2-0.png")}
    nothing = "no verified pair with another of its class"
    assert reasons(found) == {"0-4.png": nothing, "1-4.png": nothing, "2-0.png": nothing}


def test_threads_and_shares_change_nothing(crops: Path, tmp_path: Path) -> None:
    alone = done(cleaning(catalogue(crops, things(0, 1)), tmp_path / "alone", threads=1))
    for shard in range(3):
        part = cleaning(catalogue(crops, things(0, 1)), tmp_path / "shares", threads=3)
        part.match(shard, 3)
    merged = cleaning(catalogue(crops, things(0, 1)), tmp_path / "shares")
    assert told(merged.finish({})) == told(alone)


def test_not_all_shares_are_there(crops: Path, tmp_path: Path) -> None:
    some = cleaning(catalogue(crops, things(0, 1)), tmp_path)
    some.match(0, 3)
    with pytest.raises(UserError, match="it is gone"):
        some.finish({})


def test_one_class_only_takes_a_plain_threshold_and_says_so(crops: Path, tmp_path: Path) -> None:
    some = cleaning(catalogue(crops, things(0)), tmp_path)
    unusable = some.look()
    some.match()
    with pytest.warns(UserWarning, match=r"there is one class only.* 10 is taken; links\.threshold=SCORE"):
        found = some.finish(unusable)
    assert found.threshold is None
    assert [one.threshold for one in found.classes] == [UNCALIBRATED]
    assert sorted(labels(found)) == things(0)


def test_no_pairs_across_on_demand(crops: Path, tmp_path: Path) -> None:
    some = cleaning(catalogue(crops, things(0, 1)), tmp_path, links={"across": 0})
    some.match()
    with pytest.warns(UserWarning, match=r"or links\.across=0"):
        assert sorted(labels(some.finish({}))) == things(0, 1)


def test_a_given_threshold_takes_its_place(crops: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = done(cleaning(catalogue(crops, things(0, 1)), tmp_path, links={"threshold": 7.5}))
    assert {one.threshold for one in found.classes} == {7.5}
    assert found.across.count == 0
    assert sorted(labels(found)) == things(0, 1)


def test_a_class_of_one_photograph(crops: Path, tmp_path: Path) -> None:
    found = done(cleaning(catalogue(crops, [*things(0, 1), "2-0.png", "3-0.png"]), tmp_path))
    assert sorted(labels(found)) == things(0, 1)
    only = "the only photograph of its class"
    assert reasons(found) == {"2-0.png": only, "3-0.png": only}
    assert found.rate == pytest.approx(0.01 / 4)


def test_classes_of_one_photograph_only(crops: Path, tmp_path: Path) -> None:
    some = cleaning(catalogue(crops, ["2-0.png", "3-0.png"]), tmp_path)
    some.match()
    with pytest.warns(UserWarning, match="one class only"):
        found = some.finish(some.look())
    assert labels(found) == {}
    assert np.isnan(found.boxes.last).all()


@pytest.mark.filterwarnings("ignore:of 10 pairs of different classes those")
def test_no_verified_pair(crops: Path, tmp_path: Path) -> None:
    names = ["2-0.png", "3-0.png", *things(0)]
    some = catalogue(crops, names, labels=["none", "none", *"00000"])
    found = done(cleaning(some, tmp_path))
    assert sorted(labels(found)) == things(0)
    assert reasons(found) == dict.fromkeys(names[:2], "no pair of its class is verified")
    assert np.isnan(found.boxes.last[:2]).all()
    kept = done(cleaning(some, tmp_path, unverified="keep"))
    assert labels(kept) == labels(found) | dict.fromkeys(names[:2], "none")
    assert np.isnan(kept.boxes.last[:2]).all()
    with pytest.raises(UserError, match="none: no two of its 2 photographs"):
        done(cleaning(some, tmp_path, unverified="stop"))


def test_copies_broken_and_flat_photographs(crops: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for name in things(0, 1):
        shutil.copy(crops / name, root / name)
    decode(crops / "0-2.png").resize((150, 120), Image.Resampling.LANCZOS).save(root / "0-copy.jpg", quality=90)
    Image.new("RGB", (200, 160), "grey").save(root / "0-flat.png")
    picture(7).save(root / "0-broken.png")
    names = [*things(0, 1), "0-copy.jpg", "0-flat.png", "0-broken.png"]
    some = catalogue(root, names)
    (root / "0-broken.png").write_bytes(b"no photograph")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = done(cleaning(some, tmp_path / "cache"))
        every = done(cleaning(some, tmp_path / "cache", duplicates=False))
    assert sorted(labels(found)) == things(0, 1)
    assert reasons(found) == {
        "0-copy.jpg": "copy of 0-2.png",
        "0-flat.png": "no local features in it",
        "0-broken.png": "it cannot be read: it is no image that Pillow knows",
    }
    assert sorted(labels(every)) == sorted([*things(0, 1), "0-copy.jpg"])


def test_only_labelled_photographs_of_the_splits(crops: Path, tmp_path: Path) -> None:
    names = [*things(0), *things(1)]
    some = catalogue(
        crops,
        names,
        labels=[*"0000", "", *"11111"],
        splits=["train"] * 5 + ["val", "val", "test", "train", "train"],
        views=[False] * 3 + [True] + [False] * 6,
    )
    made = cleaning(some, tmp_path, ("train", "val"))
    assert (made.labels, made.classes) == (["0", "1"], [[0, 1, 2], [5, 6, 8, 9]])
    assert cleaning(some, tmp_path, ("test",)).classes == [[7]]
    assert cleaning(some, tmp_path, ("query",)).classes == []


def test_one_that_is_left_alone_in_its_split(crops: Path, tmp_path: Path) -> None:
    some = catalogue(crops, things(0, 1), splits=["train"] * 4 + ["val"] + ["train"] * 5)
    found = done(cleaning(some, tmp_path, ("train", "val")))
    assert reasons(found) == {"0-4.png": "the only one of its class that is left in val"}
    assert np.isnan(found.boxes.last[4]).all()


def test_nothing_to_clean(crops: Path, tmp_path: Path) -> None:
    some = cleaning(catalogue(crops, things(0)), tmp_path, ("test",))
    assert some.look() == {}
    some.match()
    with pytest.warns(UserWarning, match="no pairs of different things"):
        assert some.finish({}).classes == []
