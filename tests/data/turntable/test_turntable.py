"""Things on a turntable: the same for the same recipe, each in its box, one view after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepret.data.scenes.raster import normals
from deepret.data.turntable.source import Recipe, Turntable, render
from deepret.data.turntable.take import take
from deepret.data.turntable.things import KINDS, kind_of, make_thing

pytestmark = pytest.mark.slow

RECIPE = Recipe(2, 1, 2, 3, 64, 0)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Turntable:
    found = Turntable(2, 1, 2, 3, 64, cache=str(tmp_path_factory.mktemp("turntable")))
    found.load()
    return found


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_every_face_of_a_thing_looks_outwards(number: int) -> None:
    thing = make_thing(3, "train", number, len(KINDS))
    middle = (thing.corners.reshape(-1, 3).min(0) + thing.corners.reshape(-1, 3).max(0)) / 2
    out = thing.corners.mean(1) - middle
    flat = np.abs(normals(thing.corners)[:, 2]) > 0.99  # tops, also those of a tower's lower blocks
    assert ((normals(thing.corners) * out * (1, 1, 0)).sum(1)[~flat] > 0).all()
    assert (normals(thing.corners)[flat][:, 2] > 0).all()
    assert thing.corners[..., 2].min() == pytest.approx(0, abs=0.5)


def test_no_kind_is_missing_and_splits_have_orders_of_their_own() -> None:
    orders = {group: [kind_of(0, group, i) for i in range(len(KINDS))] for group in ("train", "val", "test")}
    assert all(set(order) == set(KINDS) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 3


def test_the_box_holds_the_thing_and_nothing_else() -> None:
    """Where the thing is not, there is cloth: two things on the same cloth differ in their boxes alone."""
    shots = []
    for number in (0, 1):
        thing = make_thing(1, "test", number, 2)
        image, (x0, y0, x1, y1) = take(thing, 30.0, 45.0, 160, np.random.default_rng(5))
        assert image.shape == (120, 160, 3)
        assert 0 < x0 < x1 < 160
        assert 0 < y0 < y1 < 120
        assert max(x1 - x0, y1 - y0) / 160 == pytest.approx(0.56, abs=0.09)
        inside = image[int(y0) : int(y1), int(x0) : int(x1)].astype(float)
        border = np.concatenate([image[:4].reshape(-1, 3), image[-4:].reshape(-1, 3)]).astype(float)
        assert np.abs(inside.reshape(-1, 3) - border.mean(0)).mean() > 2 * np.abs(border - border.mean(0)).mean()
        shots.append(image)
    assert np.abs(shots[0].astype(int) - shots[1]).mean() > 5


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, processes in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        render(RECIPE, tmp_path / name, processes)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 15 + 2
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


def test_the_catalogue_is_what_was_rendered(rendered: Turntable) -> None:
    found = rendered.load()
    assert [found.splits.count(split) for split in ("train", "val", "test")] == [6, 3, 6]
    assert len({*found.labels}) == 5
    for i in range(len(found)):
        with Image.open(found.root / found.paths[i]) as image:
            assert image.size == found.sizes[i] == (64, 48)
        x0, y0, x1, y1 = found.boxes[i][0]
        assert 0 <= x0 < x1 <= 64
        assert 0 <= y0 < y1 <= 48


def test_it_is_rendered_once(rendered: Turntable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepret.data.turntable.source.render", lambda *_: pytest.fail("rendered again"))
    assert len(rendered.load()) == 15
