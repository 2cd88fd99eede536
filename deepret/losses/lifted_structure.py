"""The lifted structured loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from deepret.losses.similarity import distances, nothing


class LiftedStructure(nn.Module):
    """Wants each pair of positives closer than all negatives of the two, softly.

    J_ij = log(Σ_k exp(m − D_ik) + Σ_k exp(m − D_jk)) + D_ij, L = ½ max(0, J_ij)², the mean over the pairs of an anchor
    i and a positive j that have a negative, D = ‖a − b‖, in float32 (float64 stays). k runs over the negatives of the
    anchor, which are those of its positive too, both being of one class. pytorch-metric-learning looks the positive's
    up among the anchors instead, by its place among the references: right only where the two are the same rows.

    Args:
        margin: m, in Euclidean distance; 1 as published.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where no anchor has both.

    Paper: Oh Song, Xiang, Jegelka, Savarese, "Deep metric learning via lifted structured feature embedding", CVPR 2016.
    """

    def __init__(self, margin: PositiveFloat = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of all pairs of an anchor and a positive."""
        anchor, positive = (positives & negatives.any(1)[:, None]).nonzero(as_tuple=True)
        if not len(anchor):
            return nothing(anchors, references)
        lengths = distances(anchors, references)
        used, place = torch.unique(positive, return_inverse=True)
        between = distances(references[used], references)  # positives alone: a memory is long
        closeness = torch.cat([lengths[anchor], between[place]], dim=1)
        apart = ~negatives[anchor].repeat(1, 2)
        lifted = (self.margin - closeness).masked_fill(apart, -torch.inf).logsumexp(1) + lengths[anchor, positive]
        return 0.5 * F.relu(lifted).square().mean()
