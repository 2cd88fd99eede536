"""Deep Image Retrieval's triplet ranking loss."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn


class Triplet(nn.Module):
    """Wants each anchor nearer to its positives than to its negatives by a margin.

    L(q, d⁺, d⁻) = ½ max(0, m + ‖q − d⁺‖² − ‖q − d⁻‖²), over every triplet that the masks hold, in float32 (float64
    stays). No table of anchors × positives × negatives is made: each pair of an anchor and a positive is one row.

    Args:
        margin: m, in squared Euclidean distance; codes of length one are at most 4 apart.
        reduction: ``active`` averages over the triplets whose loss is not zero, so that the step does not shrink as
            triplets are solved; ``mean`` averages over all triplets; ``sum`` adds them up, as DIR does, which keeps
            only triplets with a loss when it mines and accumulates the gradients of one after the other.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where there is no triplet.

    Paper: Gordo, Almazán, Revaud, Larlus, "Deep image retrieval: learning global representations for image search",
    ECCV 2016.
    """

    def __init__(self, margin: PositiveFloat = 0.1, reduction: Literal["active", "mean", "sum"] = "active") -> None:
        super().__init__()
        self.margin = margin
        self.reduction = reduction

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of all triplets of the masks."""
        losses = self.losses(anchors, references, positives, negatives)
        total = losses.sum()
        if self.reduction == "sum":
            return total
        count = (losses.detach() > 0).sum() if self.reduction == "active" else triplets_of(positives, negatives)
        return total / count.clamp(min=1)

    def losses(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss (P, M) of each anchor and positive with each reference; zero where that is no negative."""
        distances = squared_distances(anchors, references)
        anchor, positive = positives.nonzero(as_tuple=True)
        losses = 0.5 * F.relu(self.margin + distances[anchor, positive][:, None] - distances[anchor])
        return losses.masked_fill(~negatives[anchor], 0)

    @torch.no_grad()
    def statistics(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The share of triplets whose loss is not zero; zero where there is no triplet."""
        losses = self.losses(anchors, references, positives, negatives)
        return {"active triplets": (losses > 0).sum() / triplets_of(positives, negatives).clamp(min=1)}


def triplets_of(positives: Tensor, negatives: Tensor) -> Tensor:
    """How many triplets two masks (A, M) hold: Σ over anchors of positives × negatives."""
    return (positives.sum(1) * negatives.sum(1)).sum()


def squared_distances(anchors: Tensor, references: Tensor) -> Tensor:
    """‖a − r‖² (A, M) of rows (A, D) and (M, D), at least 0; in float32 whatever autocast says, float64 stays.

    bfloat16 would be off by .005 on codes of length one, a twentieth of the usual margin.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        a, r = (rows if rows.dtype == torch.float64 else rows.float() for rows in (anchors, references))
        return (a.square().sum(1)[:, None] + r.square().sum(1) - 2 * a @ r.T).clamp(min=0)
