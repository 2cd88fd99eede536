"""Smooth-AP: average precision with ranks that have a gradient."""

from __future__ import annotations

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from deepret.losses.similarity import cosines, nothing


class SmoothAP(nn.Module):
    """Wants the positives of each anchor ranked before its negatives: 1 − AP, counted by sigmoids instead of steps.

    AP = 1/|P| Σ_{i ∈ P} R(i, P) / R(i, P ∪ N), R(i, S) = 1 + Σ_{j ∈ S, j ≠ i} σ((s_j − s_i) / τ), s the cosine with the
    anchor; the mean over the anchors that have a positive, in float32 (float64 stays). An anchor without negatives
    counts as solved.

    The anchor is in neither set: it is not searched for. The authors' code, and pytorch-metric-learning's, count it
    among its own positives, and want classes of one size, one after the other.

    Args:
        temperature: τ; less is nearer to the true AP, and more pairs of images have no gradient.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where there is no positive. Memory: a row of M for each pair of an anchor and a positive.

    Paper: Brown, Xie, Kalogeiton, Zisserman, "Smooth-AP: smoothing the path towards large-scale image retrieval",
    ECCV 2020.
    """

    def __init__(self, temperature: PositiveFloat = 0.01) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """1 − mean AP."""
        anchor, positive = positives.nonzero(as_tuple=True)
        if not len(anchor):
            return nothing(anchors, references)
        similar = cosines(anchors, references)
        own = similar[anchor, positive][:, None]
        before = ((similar[anchor] - own) / self.temperature).sigmoid()
        itself = torch.zeros_like(before, dtype=torch.bool).scatter_(1, positive[:, None], True)
        first = 1 + (before * (positives[anchor] & ~itself)).sum(1)
        precision = first / (first + (before * negatives[anchor]).sum(1))
        count = positives.sum(1)
        return 1 - (precision / count[anchor]).sum() / (count > 0).sum()
