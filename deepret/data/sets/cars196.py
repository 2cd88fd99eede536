"""Stanford Cars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt

from deepret.data.listing import Row
from deepret.data.sets.lists import Lists
from deepret.data.sets.published import PublishedSet, held_out

SITE = "ROOT holds cars_annos.mat and the folder car_ims of car_ims.tgz."
"""What is to be unpacked, for training and benchmark."""
FIRST_TEST = 99
"""The first class of the test half."""


class Cars196(PublishedSet):
    """Cars: the 8,054 photographs of the first 98 models to learn from, the 8,131 of the others as test.

    - Source: cars_annos.mat and car_ims.tgz, as they were at https://ai.stanford.edu/~jkrause/cars/car_dataset.html,
      in ROOT and ROOT/car_ims.
    - Lists: cars_annos.mat, of whose annotations relative_im_path and class count.
    - Published use: learn from the one half, test on the other; val is held out from the first here.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the models to learn from that choose the best checkpoint.
        split_seed: of that draw.
        split: which split is scored.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Krause et al., 3D object representations for fine-grained categorization, 2013; the halves of Oh Song et al., CVPR
    2016.
    """

    name: ClassVar[str] = "cars196"
    fetch: ClassVar[str] = f"They were at https://ai.stanford.edu/~jkrause/cars/car_dataset.html: {SITE}"

    def __init__(
        self,
        root: str,
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        split_seed: NonNegativeInt = 0,
        split: Literal["val", "test"] = "test",
        cache: str | None = "~/.cache/deepret",
        download: bool = False,
    ) -> None:
        super().__init__(root, strict, cache, download)
        self.val_share = val_share
        self.split_seed = split_seed

    def rows(self) -> list[Row]:
        """From cars_annos.mat.

        Raises:
            UserError: it is missing or cannot be read.
        """
        rows = [
            Row(path, str(label), "train" if label < FIRST_TEST else "test") for path, label in read_cars(self.lists)
        ]
        return held_out(rows, self.val_share, self.split_seed)

    def published(self) -> Mapping[str, int]:
        """The two halves."""
        return {"train": 8054, "test": 8131}


def read_cars(lists: Lists) -> list[tuple[str, int]]:
    """Path and model of each photograph, by relative_im_path and class of the annotations in cars_annos.mat.

    Raises:
        UserError: it is missing or cannot be read.
    """
    from scipy.io import loadmat

    name = "cars_annos.mat"
    try:
        rows = np.atleast_1d(loadmat(str(lists.root / name), squeeze_me=True)["annotations"])
        return [(str(row["relative_im_path"]), int(row["class"])) for row in rows]
    except Exception as error:  # a broken file raises anything
        raise lists.unread(name, error) from None
