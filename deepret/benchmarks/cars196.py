"""Stanford Cars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deepret.benchmarks.classes import Classes
from deepret.data.sets.cars196 import FIRST_TEST, SITE, read_cars


class Cars196(Classes):
    """Cars: the 8,131 photographs of the last 98 of 196 models.

    - Source: cars_annos.mat and car_ims.tgz, as they were at https://ai.stanford.edu/~jkrause/cars/car_dataset.html,
      in ROOT and ROOT/car_ims.
    - Query rule: leave one out among the photographs of classes 99 to 196.
    - Positives: the other photographs of the model. Ignored: the query itself.
    - Figures: recall@1, 2, 4 and 8; MAP@R and R-precision; mAP over whole rankings.
    - Image size: the network's own; published figures use crops of 224.
    - Partial: fewer than 8,131 photographs.

    Krause et al., 3D object representations for fine-grained categorization, 2013; the halves of Oh Song et al., CVPR
    2016.
    """

    name: ClassVar[str] = "cars196"
    count: ClassVar[int] = 8131
    recalls: ClassVar[Sequence[int]] = (1, 2, 4, 8)
    site: ClassVar[str] = SITE

    def labelled(self) -> list[tuple[str, str]]:
        """From cars_annos.mat: relative_im_path and class of each annotation."""
        return [(path, str(label)) for path, label in read_cars(self.lists) if label >= FIRST_TEST]
