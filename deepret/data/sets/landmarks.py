"""Landmarks, in whole or by the lists of Deep Image Retrieval."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, NonNegativeInt

from deepret.data import members
from deepret.data.check import IMAGES
from deepret.data.folder import images_below, label_of
from deepret.data.listing import Row
from deepret.data.photo import Box
from deepret.data.sets.lists import Lists
from deepret.data.sets.published import PublishedSet, held_out
from deepret.errors import UserError

FOLDERS = ("annotations_landmarks", "annotations", ".")
"""Where the lists are, below the root: the folder of their archive, or what people make of it."""
WANTED = "URL LABEL, or URL LABEL x1 x2 y1 y2"


class Landmarks(PublishedSet):
    """Landmarks: 213,678 photographs of 672, of which DIR's lists keep about 192,000 and, cleaned, 49,000 of 586.

    - Source: the lists of URLs, http://sites.skoltech.ru/compvision/projects/neuralcodes; DIR's lists,
      annotations_landmarks with annotation_full_train.txt, annotation_full_val.txt and the same of clean, by the
      authors of https://github.com/naver/deep-image-retrieval, in ROOT/annotations_landmarks. Photographs have to be
      fetched by their URLs, and many are gone.
    - Lists: a photograph a line, ``URL LABEL``; the clean ones go on with the landmark's box, ``x1 x2 y1 y2``, as a
      public program reads them; an official description was not at hand. Val shows the landmarks of train.
    - Photographs: ROOT/images/LABEL/NAME, or ROOT/images/NAME, where NAME is the end of the URL; or, where two URLs of
      a landmark end alike, ROOT/images/LABEL/ and ``name_of(URL)``. A path instead of a URL is one below ROOT.
    - With ``list=null`` there is no list: each folder below ROOT/images is a landmark, and val_share of them are val.
      The layout of the lists of URLs themselves could not be confirmed, so they are not read.

    Args:
        root: the folder.
        list: DIR's clean or full list; null for all photographs in folders by landmark.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: with ``list=null``, share of the landmarks that choose the best checkpoint.
        split_seed: of that draw.
        split: which split is scored.
        cache: where it is kept which files are sound.

    Babenko et al., Neural codes for image retrieval, ECCV 2014; Gordo et al., IJCV 2017. How many photographs the four
    lists have is from memory.
    """

    name: ClassVar[str] = "landmarks"
    fetch: ClassVar[str] = (
        "DIR's lists (annotations_landmarks) belong in ROOT/annotations_landmarks, and the photographs, fetched by the "
        "URLs in them, in ROOT/images/LABEL; with data.list=null every folder below ROOT/images is a landmark, of the "
        "URLs at http://sites.skoltech.ru/compvision/projects/neuralcodes."
    )

    def __init__(
        self,
        root: str,
        list: Literal["clean", "full"] | None = "clean",
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        split_seed: NonNegativeInt = 0,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
    ) -> None:
        super().__init__(root, strict, cache)
        self.list = list
        self.val_share = val_share
        self.split_seed = split_seed

    def rows(self) -> list[Row]:
        """From the lists of train and val, or from the folders.

        Raises:
            UserError: a list that is missing or cannot be read, or no photograph in folders.
        """
        if self.list is None:
            return self._folders()
        name = f"annotation_{self.list}_train.txt"
        folder = next((f for f in FOLDERS if (self.root / f / name).is_file()), FOLDERS[0])
        return [row for split in ("train", "val") for row in self._listed(f"{folder}/annotation_{self.list}", split)]

    def published(self) -> Mapping[str, int]:
        """The lists'."""
        if self.list is None:
            return {"train": 213_678}
        return {"train": 42_410, "val": 6_382} if self.list == "clean" else {"train": 168_882, "val": 20_668}

    def _folders(self) -> list[Row]:
        folder = self.root / "images"
        found = images_below(folder) if folder.is_dir() else []
        labels = [label_of(folder, path) for path in found]
        rows = [
            Row(path.relative_to(self.root).as_posix(), label, "train")
            for path, label in zip(found, labels, strict=True)
            if label
        ]
        if not rows:
            raise UserError(f"data.root={self.root}: images holds no folder with photographs. {self.fetch}")
        return held_out(rows, self.val_share, self.split_seed)

    def _listed(self, stem: str, split: str) -> list[Row]:
        rows = []
        name = f"{stem}_{split}.txt"
        for number, words in self.lists.lines(name):
            if len(words) not in (2, 6):
                raise self.lists.wrong(name, number, words, WANTED)
            box = _box(self.lists, name, number, words) if len(words) == 6 else []
            rows.append(Row(self._place(words[0], words[1]), words[1], split, box, number))
        return rows

    def _place(self, url: str, label: str) -> str:
        """Where a photograph is, or would be first looked for."""
        if "://" not in url:
            return url
        name = PurePosixPath(urlsplit(url).path).name
        names = dict.fromkeys((name, unquote(name))) if name else ()
        places = [f"images/{label}/{name_of(url)}"]
        places += [f"{folder}/{end}" for end in names for folder in (f"images/{label}", "images") if "/" not in end]
        return next((place for place in places if members.exists(self.root / place)), places[0])


def name_of(url: str) -> str:
    """The name that no other URL's photograph has: 16 hexadecimal digits of its SHA-256, and the ending it says."""
    ending = PurePosixPath(urlsplit(url).path).suffix.lower()
    return hashlib.sha256(url.encode()).hexdigest()[:16] + (ending if ending in IMAGES else ".jpg")


def _box(lists: Lists, name: str, number: int, words: list[str]) -> list[Box]:
    try:
        x0, x1, y0, y1 = map(float, words[2:])
    except ValueError:
        raise lists.wrong(name, number, words, WANTED) from None
    if not (x0 < x1 and y0 < y1):
        raise lists.wrong(name, number, words, f"{WANTED} with x1 < x2 and y1 < y2")
    return [(x0, y0, x1, y1)]
