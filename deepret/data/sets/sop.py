"""Stanford Online Products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from deepret.data.listing import Row
from deepret.data.sets.halves import Halves
from deepret.data.sets.lists import Lists

SITE = "ROOT is the folder that Stanford_Online_Products.zip holds."
"""What is to be unpacked, for training and benchmark."""


class StanfordOnlineProducts(Halves):
    """Products of a marketplace: 59,551 photographs of 11,318 products to learn from, 60,502 of 11,316 others as test.

    - Source: https://cvgl.stanford.edu/projects/lifted_struct: Stanford_Online_Products.zip, whose folder ROOT is.
    - Lists: Ebay_train.txt and Ebay_test.txt: image_id class_id super_class_id path.

    Oh Song et al., Deep metric learning via lifted structured feature embedding, CVPR 2016.
    """

    name: ClassVar[str] = "sop"
    fetch: ClassVar[str] = f"https://cvgl.stanford.edu/projects/lifted_struct has it: {SITE}"

    def halves(self) -> list[Row]:
        """From Ebay_train.txt and Ebay_test.txt.

        Raises:
            UserError: one of them is missing or cannot be read.
        """
        halves = {"train": "Ebay_train.txt", "test": "Ebay_test.txt"}
        return [Row(p, label, s) for s, name in halves.items() for p, label in read_products(self.lists, name)]

    def published(self) -> Mapping[str, int]:
        """The two halves."""
        return {"train": 59_551, "test": 60_502}


def read_products(lists: Lists, name: str) -> list[tuple[str, str]]:
    """Path and product of each photograph of Ebay_train.txt or Ebay_test.txt: image_id class_id super_class_id path.

    Raises:
        UserError: it is missing or cannot be read.
    """
    found = []
    for number, words in lists.lines(name):
        if number == 1 and words[0] == "image_id":
            continue
        if len(words) != 4:
            raise lists.wrong(name, number, words, "image_id class_id super_class_id path")
        found.append((words[3], words[1]))
    return found
