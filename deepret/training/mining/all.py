"""Every triplet of the batch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

Selection = tuple[Tensor, Tensor, Tensor]
"""Rows (A′,) of the anchors, positives (A′, M) and negatives (A′, M)."""


class All:
    """Takes every pair of the batch: each image is an anchor, all of its class positives, all others negatives.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → rows (A,), the same masks.
    """

    pooled: ClassVar[bool] = False

    def select(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Selection:
        """The masks as they are."""
        return torch.arange(len(anchors), device=anchors.device), positives, negatives
