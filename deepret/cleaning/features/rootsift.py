"""SIFT, compared by the Hellinger kernel."""

from __future__ import annotations

import numpy as np

from deepret.cleaning.features.base import Array
from deepret.cleaning.features.sift import SIFT
from deepret.models.backbone.sift import hellinger


class RootSIFT(SIFT):
    """SIFT whose histograms d are compared by the Hellinger kernel: √(d / Σ d), of length one as it is.

    Args:
        size, count, contrast: as SIFT has them.

    Source: Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.
    """

    def bytes_of(self, histograms: Array) -> Array:
        """√(d / Σ d) as eight bits; 512 × 1/2 is more than any entry but the plainest has."""
        found: Array = np.minimum(np.rint(512 * hellinger(histograms)), 255).astype(np.uint8)
        return found
