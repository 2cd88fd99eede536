"""Caltech-UCSD Birds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deepret.benchmarks.classes import Classes
from deepret.data.sets.cub200 import FIRST_TEST, SITE, read_birds


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
    site: ClassVar[str] = SITE

    def labelled(self) -> list[tuple[str, str]]:
        """From images.txt, number and path, and image_class_labels.txt, number and class."""
        return [(path, label) for path, label in read_birds(self.lists) if int(label) >= FIRST_TEST]
