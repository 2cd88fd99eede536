"""Caltech-UCSD Birds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deepret.benchmarks.classes import Classes
from deepret.errors import UserError

FIRST = 101
"""The first test class; those before are for training."""


class CUB200(Classes):
    """Birds: the 5,924 photographs of the last 100 of 200 species.

    - Source: https://www.vision.caltech.edu/datasets/cub_200_2011: CUB_200_2011.tgz, whose folder CUB_200_2011 ROOT is.
    - Query rule: leave one out among the photographs of classes 101 to 200.
    - Positives: the other photographs of the species. Ignored: the query itself.
    - Figures: recall@1, 2, 4 and 8; MAP@R and R-precision; mAP over whole rankings.
    - Image size: the network's own; published figures use crops of 224.
    - Partial: fewer than 5,924 photographs.

    Wah et al., The Caltech-UCSD Birds-200-2011 dataset, 2011; the halves of Oh Song et al., CVPR 2016.
    """

    name: ClassVar[str] = "cub200"
    folder: ClassVar[str] = "images"
    count: ClassVar[int] = 5924
    recalls: ClassVar[Sequence[int]] = (1, 2, 4, 8)
    site: ClassVar[str] = "ROOT is the folder CUB_200_2011 that CUB_200_2011.tgz holds."

    def labelled(self) -> list[tuple[str, str]]:
        """From images.txt, number and path, and image_class_labels.txt, number and class."""
        paths, labels = self._column("images.txt"), self._column("image_class_labels.txt")
        if paths.keys() != labels.keys():
            number = min(paths.keys() ^ labels.keys())
            raise UserError(f"{self.root}: photograph {number} stands in one of images.txt and image_class_labels.txt.")
        if not all(label.isdecimal() for label in labels.values()):
            raise UserError(f"{self.root / 'image_class_labels.txt'}: a class is no number.")
        return [(paths[number], labels[number]) for number in paths if int(labels[number]) >= FIRST]

    def _column(self, name: str) -> dict[str, str]:
        found = {}
        for number, words in self.lines(name):
            if len(words) != 2:
                raise self.wrong(name, number, words, "two words, the photograph's number first")
            if words[0] in found:
                raise self.wrong(name, number, words, "a number of its own for each photograph")
            found[words[0]] = words[1]
        return found
