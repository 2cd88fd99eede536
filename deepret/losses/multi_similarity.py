"""The multi-similarity loss."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat
from pytorch_metric_learning import losses
from torch import Tensor, nn

from deepret.losses.metric_learning import of_pairs


class MultiSimilarity(nn.Module):
    """Pulls positives and pushes negatives, each the more the worse it lies, and the worse beside the anchor's others.

    L = 1/α log(1 + Σ_p exp(−α (s_p − λ))) + 1/β log(1 + Σ_n exp(β (s_n − λ))), s the cosine with the anchor, the mean
    over the anchors that have a pair, in float32 (float64 stays). The paper's choice of pairs is not in it: ``mining``
    has that to say. The formula is pytorch-metric-learning's.

    Args:
        alpha: α, of the positives.
        beta: β, of the negatives; more looks at the hardest alone.
        base: λ, the cosine that positives are to be above and negatives below.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where there is no pair.

    Paper: Wang, Han, Huang, Dong, Scott, "Multi-similarity loss with general pair weighting for deep metric learning",
    CVPR 2019.
    """

    def __init__(
        self, alpha: PositiveFloat = 2.0, beta: PositiveFloat = 50.0, base: Annotated[float, Field(ge=-1, le=1)] = 0.5
    ) -> None:
        super().__init__()
        self.kept = losses.MultiSimilarityLoss(alpha, beta, base)

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of all anchors with a pair."""
        rows = (positives | negatives).any(1)
        return of_pairs(self.kept, anchors, references, positives, negatives, rows)
