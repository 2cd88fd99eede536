"""Every pair of a class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deepret.cleaning.features.store import FeatureStore


class Everything:
    """Compares every photograph of a class with every other: n (n − 1) / 2 pairs, whatever n is."""

    def partners(self, paths: list[str], sample: list[str], store: FeatureStore) -> list[npt.NDArray[np.int64]] | None:
        """For each photograph of a class the rows that it is compared with; None for all.

        Args:
            paths: the class's photographs.
            sample: photographs of all classes, to learn from what features there are.
            store: gives features.
        """
        return None
