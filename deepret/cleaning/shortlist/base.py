"""Which pairs of a class are compared: what every way to choose them says."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from deepret.cleaning.features.store import FeatureStore

Partners = list[npt.NDArray[np.int64]]
"""For each photograph of a class the places in it of those that it is compared with, (k,) ascending."""


class Shortlist(ABC):
    """Chooses pairs of a class; a class without a limit is compared in full."""

    sample: int = 0
    """Photographs of all classes that it learns from, at most."""

    @abstractmethod
    def limit(self, count: int) -> int | None:
        """How many others a photograph of a class of ``count`` is compared with; None for all."""

    @abstractmethod
    def partners(self, paths: list[str], sample: list[str], store: FeatureStore) -> Partners:
        """Which those are, of a class that has a limit.

        Args:
            paths: the class's photographs, n.
            sample: photographs of all classes, to learn from.
            store: gives features.

        Returns:
            n arrays.
        """
