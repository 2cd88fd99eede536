"""Stanford Online Products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from deepret.data.listing import Row
from deepret.data.sets.lists import Lists
from deepret.data.sets.published import PublishedSet, held_out

SITE = "ROOT is the folder that Stanford_Online_Products.zip holds."
"""What is to be unpacked, for training and benchmark."""


class StanfordOnlineProducts(PublishedSet):
    """Products of a marketplace: 59,551 photographs of 11,318 products to learn from, 60,502 of 11,316 others as test.

    - Source: https://cvgl.stanford.edu/projects/lifted_struct: Stanford_Online_Products.zip, whose folder ROOT is.
    - Lists: Ebay_train.txt and Ebay_test.txt: image_id class_id super_class_id path.
    - Published use: learn from the one half, test on the other; val is held out from the first here.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the products to learn from that choose the best checkpoint.
        split_seed: of that draw.
        split: which split is scored.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Oh Song et al., Deep metric learning via lifted structured feature embedding, CVPR 2016.
    """

    name: ClassVar[str] = "sop"
    fetch: ClassVar[str] = f"https://cvgl.stanford.edu/projects/lifted_struct has it: {SITE}"

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
        """From Ebay_train.txt and Ebay_test.txt.

        Raises:
            UserError: one of them is missing or cannot be read.
        """
        halves = {"train": "Ebay_train.txt", "test": "Ebay_test.txt"}
        rows = [Row(p, label, s) for s, name in halves.items() for p, label in read_products(self.lists, name)]
        return held_out(rows, self.val_share, self.split_seed)

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
