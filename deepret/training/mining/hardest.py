"""The hardest positive and the hardest negative of each anchor: batch-hard."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.losses.triplet import squared_distances
from deepret.training.mining.all import Selection


class Hardest:
    """Takes, for each anchor, the farthest of its positives and the nearest of its negatives.

    With ``references=cross_batch``, among all that is remembered, too. A pair that is mislabelled is always the
    hardest, and codes can collapse into one at the beginning: ``semi_hard`` is safer there.

    Shape:
        anchors (A, D), references (M, D), masks (A, M) → rows (A,), masks of one positive and one negative each, none
        where there was none.

    Paper: Hermans, Beyer, Leibe, "In defense of the triplet loss for person re-identification", 2017.
    """

    pooled: ClassVar[bool] = False

    @torch.no_grad()
    def select(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Selection:
        """One positive and one negative for each anchor."""
        distances = squared_distances(anchors, references)
        farthest = distances.masked_fill(~positives, -torch.inf).argmax(1)
        nearest = distances.masked_fill(~negatives, torch.inf).argmin(1)
        hardest = (F.one_hot(place, len(references)).bool() for place in (farthest, nearest))
        alike, unlike = (one & mask for one, mask in zip(hardest, (positives, negatives), strict=True))
        return torch.arange(len(anchors), device=anchors.device), alike, unlike
