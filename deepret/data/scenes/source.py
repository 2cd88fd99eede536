"""The data part ``data=scenes``: rendered landmarks, made on first use and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from deepret.data.catalogue import Catalogue
from deepret.data.scenes.plan import Recipe
from deepret.data.scenes.pool import Record, end_if_started_to_render
from deepret.data.scenes.render import render
from deepret.data.scenes.store import folder_of, keep
from deepret.data.views import view_catalogue


class Scenes:
    """Rendered landmarks: procedural buildings in streets, under changing view, light and weather.

    The classes of train, val and test are different buildings, and so are those that stand around; only kits of parts
    (a masonry, a window, a roof) are shared, within a split. Distractors show other buildings of the test split's kits,
    or a street or park without any.

    Args:
        train_classes: landmarks to learn on.
        val_classes: landmarks to choose the best checkpoint on.
        test_classes: landmarks for the last word.
        images_per_class: pictures of each.
        distractors: pictures that show none of them.
        size: larger side in pixels, an even number.
        noise: share of the train pictures filed under a wrong label; half show another class, half none.
        seed: of the buildings and the pictures.
        split: which split is scored.
        views: a folder of unlabelled photographs, each a class of its own in training; null for none.
        view_share: their share of each batch's classes.
        cache: where the pictures are kept.
    """

    disjoint: ClassVar[bool] = True
    """No picture is in two splits: they show other buildings, each picture is rendered for itself."""

    def __init__(
        self,
        train_classes: Annotated[int, Field(ge=2)] = 40,
        val_classes: Annotated[int, Field(ge=1)] = 8,
        test_classes: Annotated[int, Field(ge=1)] = 20,
        images_per_class: Annotated[int, Field(ge=2, le=1000)] = 10,
        distractors: NonNegativeInt = 100,
        size: Annotated[int, Field(ge=48, le=2048, multiple_of=2)] = 288,
        noise: Annotated[float, Field(ge=0, le=1)] = 0.0,
        seed: NonNegativeInt = 0,
        split: Literal["test", "val"] = "test",
        views: str | None = None,
        view_share: Annotated[float, Field(ge=0, le=1)] = 0.4,
        cache: str = "~/.cache/deepret",
    ) -> None:
        self.recipe = Recipe(
            train_classes, val_classes, test_classes, images_per_class, distractors, size, float(noise), seed
        )
        self.views = views
        self.view_share = view_share
        self.cache = Path(cache).expanduser()

    def folder(self) -> Path:
        """The set's folder, rendered now if it is not there yet.

        Raises:
            UserError: nothing can be written below ``cache``.
        """
        end_if_started_to_render()
        return keep(folder_of(vars(self.recipe), self.cache / "scenes"), lambda part: render(self.recipe, part))

    def load(self) -> Catalogue:
        """The catalogue of all pictures, with the boxes of all buildings, each picture's own first.

        Raises:
            UserError: nothing can be written below ``cache``.
        """
        folder = self.folder()
        found = catalogue_of(folder, truth(folder)["images"])
        return found if self.views is None else found.joined(view_catalogue(Path(self.views), False, self.cache))


def catalogue_of(folder: Path, records: Sequence[Record]) -> Catalogue:
    """The catalogue of rendered pictures, by what scenes.json says of each."""
    return Catalogue(
        folder,
        paths=[r["path"] for r in records],
        labels=[r["label"] for r in records],
        splits=[r["split"] for r in records],
        sizes=[(r["size"][0], r["size"][1]) for r in records],
        boxes=[[(b[0], b[1], b[2], b[3]) for b in r["boxes"]] for r in records],
        views=[False] * len(records),
    )


def truth(folder: Path) -> dict[str, Any]:
    """What scenes.json says: the recipe, each class's reference, and of each picture what it really shows.

    A picture has ``buildings`` and their ``boxes``, ``own`` (which of them it is of, or null), ``shows`` (the true
    label), ``homography`` (3 × 3, from its pixels to those of its building's reference, both counted from the border),
    ``azimuth`` and ``elevation`` in degrees, and ``visible``, the share of its own building that is seen.
    """
    found: dict[str, Any] = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
    return found
