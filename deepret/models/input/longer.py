"""Photographs with their aspect kept."""

from __future__ import annotations

from deepret.data.augment import rounded_shape
from deepret.data.photo import Box
from deepret.models.input.base import Input


class Longer(Input):
    """Keeps the aspect ratio: the larger side of the photograph becomes ``size``.

    A crop is resized by the factor of its whole photograph, so that a query's object has the size that it has in the
    database, as the benchmarks' protocols want it.

    Args:
        size: the larger side in pixels.
        multiple: both sides are rounded to the nearest multiple of it, at least one.
        upscale: whether smaller photographs are enlarged.
        scales: factors of the resized photograph at which it is described.
        flip: whether it is described mirrored as well.
        merge: how the codes of its views become one.
        mean: from the backbone.
        std: from the backbone.
    """

    def shape(self, width: int, height: int, box: Box | None = None) -> tuple[int, int]:
        """Height and width of the tensor: both sides by one factor, then rounded."""
        larger = max(width, height)
        factor = (self.size if self.upscale else min(self.size, larger)) / larger
        x0, y0, x1, y1 = box or (0, 0, width, height)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        return self._round((y1 - y0) * factor), self._round((x1 - x0) * factor)

    @staticmethod
    def resized(width: int, height: int, size: int, multiple: int) -> tuple[int, int]:
        """Height and width for a larger side of ``size``, smaller photographs enlarged."""
        return rounded_shape(width, height, size, multiple)
