"""Unlabelled photographs: each is a class of its own, seen in augmented views."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field
from tqdm import tqdm

from deepret.data import members
from deepret.data.augment import Augmentation
from deepret.data.catalogue import Catalogue
from deepret.data.check import IMAGES
from deepret.data.folder import check_folder, images_below, sound
from deepret.data.listing import Row
from deepret.data.photo import open_photo, upright_size
from deepret.errors import UserError
from deepret.files import replacing

VIEW_SIZE = 400
"""Larger side in pixels of the views that val is scored on."""
LEAST_HELD_OUT, MOST_HELD_OUT = 2, 200
"""One photograph has nothing to be told from; more than 200 in val cost time and say no more."""


class Views:
    """Trains from a folder without any label.

    A share of the photographs is held out as val: each, and one view of it that is always the same, have to find each
    other. There is no test split; a trained network is scored on other data, ``eval.py checkpoint=PATH data=…``.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the photographs that choose the best checkpoint, two of them at least and at most 200; 0
            trains on all, and the last checkpoint counts.
        split: which split is scored.
        cache: where it is kept which files are sound, and the views of val; null keeps neither, and there is no val.
    """

    def __init__(
        self,
        root: str,
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
    ) -> None:
        self.root = Path(root).expanduser()
        self.strict = strict
        self.val_share = val_share
        self.cache = None if cache is None else Path(cache).expanduser()

    def load(self) -> Catalogue:
        """The catalogue: train, and val where it is asked for.

        Raises:
            UserError: no such folder, nothing in it, or the views cannot be kept.
        """
        found = view_catalogue(self.root, self.strict, self.cache, "data.root")
        if self.cache is None or self.val_share == 0 or len(found) <= LEAST_HELD_OUT:
            return found
        count = min(max(round(self.val_share * len(found)), LEAST_HELD_OUT), MOST_HELD_OUT)
        drawn = sorted(range(len(found)), key=lambda i: hashlib.sha256(os.fsencode(found.paths[i])).digest())
        held_out = sorted(drawn[:count])  # by name, so that one photograph more moves one other at most
        learned = found.subset(sorted({*range(len(found))} - {*held_out}))
        return learned.joined(with_views(found.subset(held_out), self.cache / "views"))


def view_catalogue(root: Path, strict: bool, cache: Path | None, key: str = "data.views") -> Catalogue:
    """Unlabelled photographs below a folder, each a class of its own in train.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run.
        cache: where it is kept which files are sound.
        key: the setting that names the folder, for messages.

    Raises:
        UserError: no such folder, or nothing in it.
    """
    root = root.expanduser()
    check_folder(root, key)
    names = [path.relative_to(root).as_posix() for path in images_below(root)]
    if not names:
        raise UserError(f"{key}={root}: there is no photograph in it (endings: {' '.join(IMAGES)}).")
    found = sound(root.resolve(), [Row(name, f"view:{name}", "train") for name in names], strict, cache)
    return replace(found, views=[True] * len(found))


def with_views(photographs: Catalogue, folder: Path) -> Catalogue:
    """A val split of photographs and one view of each, which has the photograph's label.

    Args:
        photographs: each with a label of its own.
        folder: where the views are kept; each file is named after what it was made from.

    Raises:
        UserError: nothing can be written there.
    """
    made = []
    for i in tqdm(range(len(photographs)), "views for val", unit=" images", disable=None, leave=False):
        made.append(_view(photographs.root, photographs.paths[i], folder))
    paths = [*(str(photographs.root / path) for path in photographs.paths), *map(str, made)]
    return Catalogue(
        photographs.root,
        paths=paths,
        labels=photographs.labels * 2,
        splits=["val"] * len(paths),
        sizes=[*photographs.sizes, *map(upright_size, made)],
        boxes=[[] for _ in paths],
        views=[False] * len(paths),
    )


def _view(root: Path, path: str, folder: Path) -> Path:
    """The file of a photograph's one view, made now if need be; the view depends on the photograph and its name."""
    augmentation = Augmentation()
    stat = members.stat(root / path)
    source = (str(root / path), stat.size, stat.changed, VIEW_SIZE, vars(augmentation))
    name = hashlib.sha256(os.fsencode(repr(source))).hexdigest()[:24]
    kept = folder.resolve() / f"{name}.jpg"
    if kept.is_file():
        return kept
    image = open_photo(root / path, max_side=2 * VIEW_SIZE)
    random = np.random.default_rng(list(os.fsencode(path)))
    pixels = augmentation(image, VIEW_SIZE, 1, True, random).permute(1, 2, 0).numpy()
    with replacing(kept, "views for val are kept there: make room, give cache=DIR, or take data.val_share=0.") as part:
        Image.fromarray(pixels).save(part, "JPEG", quality=95)
    return kept
