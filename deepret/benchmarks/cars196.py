"""Stanford Cars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from deepret.benchmarks.classes import Classes
from deepret.errors import UserError

FIRST = 99
"""The first test class; those before are for training."""


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
    site: ClassVar[str] = "ROOT holds cars_annos.mat and the folder car_ims of car_ims.tgz."

    def labelled(self) -> list[tuple[str, str]]:
        """From cars_annos.mat: relative_im_path and class of each annotation."""
        from scipy.io import loadmat

        path = self.root / "cars_annos.mat"
        try:
            rows = np.atleast_1d(loadmat(str(path), squeeze_me=True)["annotations"])
            found = [(str(row["relative_im_path"]), int(row["class"])) for row in rows]
        except Exception as error:  # a broken file raises anything
            said = error.strerror if isinstance(error, OSError) and error.strerror else error or type(error).__name__
            raise UserError(
                f"benchmark.root={self.root}: {path.name} cannot be read ({said}){self.remedy('.')}"
            ) from None
        return [(name, str(label)) for name, label in found if label >= FIRST]
