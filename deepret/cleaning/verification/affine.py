"""Verification by an affine map."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np

from deepret.cleaning.verification.base import Array, Verification


class Affine(Verification):
    """x′ = A x + t, six numbers: enough for a front seen from afar, and too stiff for what matches by accident.

    Args:
        ratio, tolerance, iterations, stretch, zoom: as Verification has them.

    Source: Gordo et al., "Deep Image Retrieval: learning global representations for image search", ECCV 2016, §3.
    """

    least: ClassVar[int] = 4

    def estimate(self, first: Array, second: Array, settings: Any) -> tuple[Array | None, Array | None]:
        """The map (3, 3), and which matches it explains (m,) bool; None where there is none."""
        try:
            found, inside = cv2.estimateAffine2D(first, second, settings)
        except cv2.error:  # points in one place or on one line
            return None, None
        if found is None:
            return None, None
        return np.vstack([found, [0.0, 0.0, 1.0]]), inside.ravel() > 0
