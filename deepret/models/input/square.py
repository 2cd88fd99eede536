"""Photographs squeezed to squares."""

from __future__ import annotations

from deepret.data.augment import rounded_shape
from deepret.data.photo import Box
from deepret.models.input.base import Input


class Square(Input):
    """Squeezes every photograph, or crop, to a square of one size, as fully connected layers want it.

    Args:
        size: the side in pixels.
        multiple: the side is rounded to the nearest multiple of it, at least one.
        upscale: has no effect: a square has its size.
        scales: factors of the square at which it is described.
        flip: whether it is described mirrored as well.
        merge: how the codes of its views become one.
        mean: from the backbone.
        std: from the backbone.
    """

    def shape(self, width: int, height: int, box: Box | None = None) -> tuple[int, int]:
        """The same height and width for all."""
        return self.resized(width, height, self.size, self.multiple)

    @staticmethod
    def resized(width: int, height: int, size: int, multiple: int) -> tuple[int, int]:
        """Two sides of ``size``, whatever the photograph's are."""
        return rounded_shape(1, 1, size, multiple)
