"""The data part ``data=turntable``: rendered things on a plain ground, made on first use and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from deepret.data.catalogue import Catalogue
from deepret.data.scenes.canvas import stream
from deepret.data.scenes.lens import jpeg
from deepret.data.scenes.pool import Record, end_if_started_to_render, take_all
from deepret.data.scenes.solids import Mesh
from deepret.data.scenes.source import catalogue_of, truth
from deepret.data.scenes.store import folder_of, keep
from deepret.data.turntable.take import ELEVATIONS, take
from deepret.data.turntable.things import kind_of, make_thing


@dataclass(frozen=True)
class Recipe:
    """All that the pictures depend on; see `Turntable` for what each means."""

    train_classes: int
    val_classes: int
    test_classes: int
    images_per_class: int
    size: int
    seed: int


@dataclass(frozen=True)
class Picture:
    """One picture to be taken: which view of which thing of a split, and the number of its own."""

    split: str
    thing: int
    view: int
    number: int


class Turntable:
    """Rendered things of a household on a turntable: one thing on a plain ground, in one light, view by view.

    Pictures like those of the Multi-view RGB-D Object dataset: view i of n shows the thing turned by 360° i/n, with the
    camera at 30°, 45° and 60° in turn. The classes of train, val and test are different things; things of a split share
    the colours of brands, about four things each.

    Args:
        train_classes: things to learn on.
        val_classes: things to choose the best checkpoint on.
        test_classes: things for the last word.
        images_per_class: views of each.
        size: width in pixels, an even number; pictures are three parts high and four wide.
        seed: of the things and the pictures.
        split: which split is scored.
        cache: where the pictures are kept.

    Lai et al., A large-scale hierarchical multi-view RGB-D object dataset, ICRA 2011.
    """

    disjoint: ClassVar[bool] = True

    def __init__(
        self,
        train_classes: Annotated[int, Field(ge=2)] = 40,
        val_classes: Annotated[int, Field(ge=1)] = 8,
        test_classes: Annotated[int, Field(ge=1)] = 20,
        images_per_class: Annotated[int, Field(ge=2, le=1000)] = 10,
        size: Annotated[int, Field(ge=48, le=2048, multiple_of=2)] = 288,
        seed: NonNegativeInt = 0,
        split: Literal["test", "val"] = "test",
        cache: str = "~/.cache/deepret",
    ) -> None:
        self.recipe = Recipe(train_classes, val_classes, test_classes, images_per_class, size, seed)
        self.cache = Path(cache).expanduser()

    def folder(self) -> Path:
        """The set's folder, rendered now if it is not there yet.

        Raises:
            UserError: nothing can be written below ``cache``.
        """
        end_if_started_to_render()
        folder = folder_of(vars(self.recipe), self.cache / "turntable", Path(__file__).parent)
        return keep(folder, lambda part: render(self.recipe, part))

    def load(self) -> Catalogue:
        """The catalogue of all pictures, each with its thing's box.

        Raises:
            UserError: nothing can be written below ``cache``.
        """
        folder = self.folder()
        return catalogue_of(folder, truth(folder)["images"])


def render(recipe: Recipe, folder: Path, processes: int | None = None) -> None:
    """Renders the whole set into ``folder``: JPEG files, images.csv, and scenes.json last.

    Args:
        recipe: what to render; the same recipe gives the same bytes, however many processes there are.
        folder: an empty folder.
        processes: how many; None takes the machine's cores, and this one alone for small sets.
    """
    pictures = plan(recipe)
    jobs = [list(job) for _, job in groupby(pictures, key=lambda p: (p.split, p.thing))]
    records = take_all(partial(take_one, recipe), jobs, folder, recipe.size, processes)
    records.sort(key=lambda record: record["path"])
    catalogue_of(folder, records).write_csv(folder / "images.csv")
    text = json.dumps({"recipe": vars(recipe), "references": {}, "images": records}, indent=1)
    (folder / "scenes.json").write_text(text, encoding="utf-8")


def plan(recipe: Recipe) -> list[Picture]:
    """Every picture of the set."""
    counts = {"train": recipe.train_classes, "val": recipe.val_classes, "test": recipe.test_classes}
    things = [(split, thing) for split, count in counts.items() for thing in range(count)]
    views = [(split, thing, view) for split, thing in things for view in range(recipe.images_per_class)]
    return [Picture(split, thing, view, number) for number, (split, thing, view) in enumerate(views)]


def take_one(recipe: Recipe, picture: Picture, folder: Path) -> Record:
    """Takes one picture, writes its file and gives its record."""
    thing = _thing(recipe, picture.split, picture.thing)
    rng = stream(recipe.seed, "view", picture.number)
    angle, elevation = 360 * picture.view / recipe.images_per_class, ELEVATIONS[picture.view % len(ELEVATIONS)]
    image, box = take(thing, angle, elevation, recipe.size, rng)
    label = f"{picture.split}_{picture.thing:03d}_{kind_of(recipe.seed, picture.split, picture.thing)}"
    file = folder / picture.split / label / f"{picture.view:03d}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(jpeg(image, int(rng.integers(82, 97))))
    return {
        "path": file.relative_to(folder).as_posix(),
        "label": label,
        "split": picture.split,
        "size": [image.shape[1], image.shape[0]],
        "boxes": [list(box)],
        "azimuth": round(angle, 2),
        "elevation": elevation,
    }


@lru_cache(maxsize=4)
def _thing(recipe: Recipe, split: str, number: int) -> Mesh:
    counts = {"train": recipe.train_classes, "val": recipe.val_classes, "test": recipe.test_classes}
    return make_thing(recipe.seed, split, number, counts[split])
