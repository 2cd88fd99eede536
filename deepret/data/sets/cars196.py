"""Stanford Cars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from deepret.data.listing import Row
from deepret.data.sets.halves import Halves
from deepret.data.sets.lists import Lists

SITE = "ROOT holds cars_annos.mat and the folder car_ims of car_ims.tgz."
"""What is to be unpacked, for training and benchmark."""
FIRST_TEST = 99
"""The first class of the test half."""


class Cars196(Halves):
    """Cars: the 8,054 photographs of the first 98 models to learn from, the 8,131 of the others as test.

    - Source: cars_annos.mat and car_ims.tgz, as they were at https://ai.stanford.edu/~jkrause/cars/car_dataset.html,
      in ROOT and ROOT/car_ims.
    - Lists: cars_annos.mat, of whose annotations relative_im_path and class count.

    Krause et al., 3D object representations for fine-grained categorization, 2013; the halves of Oh Song et al., CVPR
    2016.
    """

    name: ClassVar[str] = "cars196"
    fetch: ClassVar[str] = f"They were at https://ai.stanford.edu/~jkrause/cars/car_dataset.html: {SITE}"

    def halves(self) -> list[Row]:
        """From cars_annos.mat.

        Raises:
            UserError: it is missing or cannot be read.
        """
        return [
            Row(path, str(label), "train" if label < FIRST_TEST else "test") for path, label in read_cars(self.lists)
        ]

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
