"""Boxes that the data bring."""

from __future__ import annotations

from deepret.data.catalogue import Box, Catalogue
from deepret.errors import UserError
from deepret.search.describe import Describer


class Given:
    """Takes the boxes of the data: the box columns of images.csv, or those that the renderer knows."""

    def boxes(self, catalogue: Catalogue, describe: Describer) -> list[list[Box]]:
        """For each photograph its boxes in pixels.

        Raises:
            UserError: there are none.
        """
        if not any(catalogue.boxes):
            raise UserError(
                f"boxes=given: the photographs in {catalogue.root} bring no boxes: give images.csv the columns x0,y0,x1,y1, "
                f"or take boxes=response."
            )
        return catalogue.boxes
