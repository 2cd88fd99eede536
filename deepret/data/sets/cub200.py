"""Caltech-UCSD Birds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from deepret.data.listing import Row
from deepret.data.sets.halves import Halves
from deepret.data.sets.lists import Lists
from deepret.errors import UserError

SITE = "ROOT is the folder CUB_200_2011 that CUB_200_2011.tgz holds."
"""What is to be unpacked, for training and benchmark."""
FIRST_TEST = 101
"""The first class of the test half."""


class CUB200(Halves):
    """Birds: the 5,864 photographs of the first 100 species to learn from, the 5,924 of the others as test.

    - Source: https://www.vision.caltech.edu/datasets/cub_200_2011: CUB_200_2011.tgz, whose folder CUB_200_2011 ROOT is.
    - Lists: images.txt, number and path below images/; image_class_labels.txt, number and class.

    Wah et al., The Caltech-UCSD Birds-200-2011 dataset, 2011; the halves of Oh Song et al., CVPR 2016.
    """

    name: ClassVar[str] = "cub200"
    fetch: ClassVar[str] = f"https://www.vision.caltech.edu/datasets/cub_200_2011 has it: {SITE}"

    def halves(self) -> list[Row]:
        """From images.txt and image_class_labels.txt.

        Raises:
            UserError: one of them is missing or cannot be read.
        """
        return [
            Row(f"images/{path}", label, "train" if int(label) < FIRST_TEST else "test")
            for path, label in read_birds(self.lists)
        ]

    def published(self) -> Mapping[str, int]:
        """The two halves."""
        return {"train": 5864, "test": 5924}


def read_birds(lists: Lists) -> list[tuple[str, str]]:
    """Path below images/ and number of the species of each photograph, from images.txt and image_class_labels.txt.

    Raises:
        UserError: one of them is missing or cannot be read, or they do not fit.
    """
    paths, labels = _column(lists, "images.txt"), _column(lists, "image_class_labels.txt")
    if paths.keys() != labels.keys():
        number = min(paths.keys() ^ labels.keys())
        raise UserError(f"{lists.root}: photograph {number} stands in one of images.txt and image_class_labels.txt.")
    if not all(label.isdecimal() for label in labels.values()):
        raise UserError(f"{lists.root / 'image_class_labels.txt'}: a class is no number.")
    return [(paths[number], labels[number]) for number in paths]


def _column(lists: Lists, name: str) -> dict[str, str]:
    found = {}
    for number, words in lists.lines(name):
        if len(words) != 2:
            raise lists.wrong(name, number, words, "two words, the photograph's number first")
        if words[0] in found:
            raise lists.wrong(name, number, words, "a number of its own for each photograph")
        found[words[0]] = words[1]
    return found
