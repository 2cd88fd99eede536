"""Boxes that the data bring."""

from __future__ import annotations

from deepret.data.catalogue import Catalogue
from deepret.data.photo import Box
from deepret.errors import UserError
from deepret.search.describe import Describer


class Given:
    """Takes the boxes of the data: the box columns of images.csv, or those that the renderer knows."""

    def check(self, catalogue: Catalogue) -> None:
        """Refuses, before any work, photographs that no box can come from.

        Raises:
            UserError: no photograph of the train split has one.
        """
        if not any(boxes and split == "train" for boxes, split in zip(catalogue.boxes, catalogue.splits, strict=True)):
            raise UserError(
                f"boxes=given: no train photograph in {catalogue.root} brings a box: fill the columns x0,y0,x1,y1 of "
                f"images.csv, or take boxes=response, which finds boxes with the network itself."
            )

    def boxes(self, catalogue: Catalogue, describe: Describer) -> list[list[Box]]:
        """For each photograph its boxes in pixels, none where none is known.

        Args:
            catalogue: the photographs.
            describe: not used; other ways to boxes look with the network.

        Raises:
            UserError: no photograph of the train split has one.
        """
        self.check(catalogue)
        return catalogue.boxes
