"""FaceNet's semi-hard negatives."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor

from deepret.losses.triplet import squared_distances
from deepret.training.mining.all import Selection


class SemiHard:
    """Takes, for each anchor and positive, the negatives that are farther than the positive, but not by the margin.

    d(q, d⁺) < d(q, d⁻) < d(q, d⁺) + m, d squared distances. The hardest negatives, nearer than the positive, are left
    out: they are often mislabelled, and can make all codes collapse into one. A pair without a semi-hard negative
    counts for nothing.

    Args:
        margin: m, the loss's.

    Shape:
        anchors (A, D), references (M, D), masks (A, M) → a row for each pair: (P,), positives (P, M), negatives (P, M).

    Paper: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015.
    """

    pooled: ClassVar[bool] = False

    def __init__(self, margin: PositiveFloat = 0.1) -> None:
        self.margin = margin

    @torch.no_grad()
    def select(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Selection:
        """One row for each pair of anchor and positive."""
        distances = squared_distances(anchors, references)
        anchor, positive = positives.nonzero(as_tuple=True)
        near = distances[anchor, positive][:, None]
        far = distances[anchor]
        chosen = negatives[anchor] & (far > near) & (far < near + self.margin)
        return anchor, F.one_hot(positive, len(references)).bool(), chosen
