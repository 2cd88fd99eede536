"""Deep Image Retrieval's triplet ranking loss."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn


class Triplet(nn.Module):
    """Wants each anchor nearer to its positives than to its negatives by a margin.

    L(q, d⁺, d⁻) = ½ max(0, m + ‖q − d⁺‖² − ‖q − d⁻‖²), over every triplet that the masks hold, in float32.

    Args:
        margin: m, in squared Euclidean distance; codes of length one are at most 4 apart.
        reduction: ``active`` averages over the triplets whose loss is not zero, so that the step does not shrink as
            triplets are solved; ``mean`` over all triplets; ``sum`` adds them up, as accumulating single triplets does.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero where there is no triplet.

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
        losses = self.triplets(anchors, references, positives, negatives)
        total = losses.sum()
        if self.reduction == "sum":
            return total
        count = (losses.detach() > 0).sum() if self.reduction == "active" else torch.tensor(losses.numel())
        return total / count.clamp(min=1)

    def triplets(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The loss (T,) of each triplet (anchor, positive, negative) that the masks hold."""
        with torch.autocast(anchors.device.type, enabled=False):
            wide = anchors.dtype if anchors.dtype == torch.float64 else torch.float32
            distances = squared_distances(anchors.to(wide), references.to(wide))
            anchor, positive = positives.nonzero(as_tuple=True)
            violations = self.margin + distances[anchor, positive][:, None] - distances[anchor]  # (pairs, M)
            return 0.5 * violations.clamp(min=0)[negatives[anchor]]

    @torch.no_grad()
    def statistics(self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor) -> dict[str, Tensor]:
        """The share of triplets whose loss is not zero."""
        losses = self.triplets(anchors, references, positives, negatives)
        return {"active triplets": (losses > 0).float().mean() if len(losses) else losses.new_zeros(())}


def squared_distances(anchors: Tensor, references: Tensor) -> Tensor:
    """‖a − r‖² (A, M) of rows (A, D) and (M, D), at least 0."""
    products = anchors @ references.T
    squares = anchors.square().sum(1)[:, None] + references.square().sum(1)
    return (squares - 2 * products).clamp(min=0)
