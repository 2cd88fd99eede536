"""The contrastive loss, as CNN image retrieval trains with it."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from deepret.losses.similarity import root
from deepret.losses.triplet import squared_distances


class Contrastive(nn.Module):
    """Pulls positives onto their anchor and pushes negatives away until they are a margin apart.

    ½ D² for each positive, ½ max(0, m − D)² for each negative, D = ‖q − d‖, in float32 (float64 stays).

    Args:
        margin: m, in Euclidean distance, not squared; codes of length one are at most 2 apart.
        reduction: ``active`` averages the pairs that have a loss, positives and negatives apart, and adds the two, so
            that neither kind counts more because there are more of it; ``mean`` averages over all pairs; ``sum`` adds
            them up, as published, where each query has one positive and five negatives.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where there is no pair.

    Paper: Radenović, Tolias, Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019, section 4;
    the loss is Hadsell, Chopra, LeCun's, CVPR 2006.
    """

    def __init__(self, margin: PositiveFloat = 0.7, reduction: Literal["active", "mean", "sum"] = "active") -> None:
        super().__init__()
        self.margin = margin
        self.reduction = reduction

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of all pairs of the masks."""
        near, far = self.losses(anchors, references, positives, negatives)
        if self.reduction == "active":
            return sum(
                (kind.sum() / (kind.detach() > 0).sum().clamp(min=1) for kind in (near, far)), near.new_zeros(())
            )
        total = near.sum() + far.sum()
        return total if self.reduction == "sum" else total / max(len(near) + len(far), 1)

    def losses(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The loss of each positive and of each negative pair."""
        squared = squared_distances(anchors, references)
        return 0.5 * squared[positives], 0.5 * F.relu(self.margin - root(squared[negatives])).square()

    @torch.no_grad()
    def statistics(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The share of negatives within the margin; zero where there is no negative."""
        far = self.losses(anchors, references, positives, negatives)[1]
        return {"active negatives": (far > 0).sum() / negatives.sum().clamp(min=1)}
