"""Pictures that look like photographs to what compares them: shapes of many sizes."""

from __future__ import annotations

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    """Random colours, coarse and fine."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for cells in (3, 6, 12, 24):
        coarse = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), float) / 4
    return Image.fromarray(image.round().astype(np.uint8))
