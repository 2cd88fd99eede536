"""What a photograph's local features are, and how the photograph is made ready for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from deepret.data.photo import decode, header_size

Array = npt.NDArray[Any]
UPWARDS = 2.0
"""A small photograph is enlarged so many times at most: more finds nothing that is in it."""


@dataclass(frozen=True, eq=False)
class Features:
    """The local features of one photograph, the strongest first.

    Args:
        points: (n, 2) float32, x and y in pixels of the photograph at the size at which they were found.
        descriptors: (n, D) uint8, which are compared after they are made of length one.
        scale: pixels at that size to one of the upright photograph.
    """

    points: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]
    scale: float

    def __len__(self) -> int:
        return len(self.points)


class Extractor(ABC):
    """Finds local features; an extractor has an ``extract`` of its own.

    Args:
        size: larger side in pixels to which photographs are brought, so that one tolerance fits all; small ones are
            enlarged, to twice their size at most.
        count: features of a photograph at most, the strongest.
    """

    def __init__(
        self, size: Annotated[int, Field(ge=32, le=4096)] = 640, count: Annotated[int, Field(ge=16, le=8000)] = 1500
    ) -> None:
        self.size = size
        self.count = count

    @abstractmethod
    def extract(self, image: npt.NDArray[np.uint8]) -> tuple[Array, Array]:
        """Points (n, 2) in pixels and descriptors (n, D) uint8 of a grey image (h, w); n may be 0."""

    def __call__(self, path: Path) -> Features:
        """The features of a file.

        Raises:
            Exception: the reader's own, where it cannot be read.
        """
        width, height = header_size(path)
        image = decode(path, max_side=self.size).convert("L")
        scale = min(self.size / max(width, height), UPWARDS)
        small = max(1, round(width * scale)), max(1, round(height * scale))
        if image.size != small:
            image = image.resize(small, Image.Resampling.LANCZOS)
        points, descriptors = self.extract(np.asarray(image, np.uint8))
        return Features(points.astype(np.float32), descriptors.astype(np.uint8), scale)
