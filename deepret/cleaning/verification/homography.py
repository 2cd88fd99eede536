"""Verification by a homography."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2

from deepret.cleaning.verification.base import Array, Verification


class Homography(Verification):
    """x′ ~ H x, eight numbers: the map between two photographs of a plane, such as a cover or a painting.

    Args:
        ratio, tolerance, iterations, stretch, zoom: as Verification has them.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision", 2nd ed., §2.3.
    """

    least: ClassVar[int] = 5

    def estimate(self, first: Array, second: Array, settings: Any) -> tuple[Array | None, Array | None]:
        """The map (3, 3), and which matches it explains (m,) bool; None where there is none."""
        try:
            found, inside = cv2.findHomography(first, second, settings)
        except cv2.error:
            return None, None
        if found is None:
            return None, None
        return found / found[2, 2] if found[2, 2] else found, inside.ravel() > 0
