"""The circle loss, over pairs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat
from pytorch_metric_learning import losses, reducers
from torch import Tensor, nn

from deepret.losses.metric_learning import of_pairs


class Circle(nn.Module):
    """Pulls and pushes each pair in proportion to how far it is from where it should be.

    L = log(1 + Σ_n exp(γ α_n (s_n − m)) Σ_p exp(−γ α_p (s_p − 1 + m))), s the cosine with the anchor,
    α_n = max(0, s_n + m) and α_p = max(0, 1 + m − s_p) without a gradient; the mean over the anchors that have a
    positive and a negative, in float32 (float64 stays). The formula is pytorch-metric-learning's.

    Args:
        relaxation: m; positives are to be above 1 − m and negatives below m. Mining's margin is another thing.
        scale: γ.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where no anchor has both.

    Paper: Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei, "Circle loss: a unified perspective of pair similarity
    optimization", CVPR 2020.
    """

    def __init__(self, relaxation: Annotated[float, Field(ge=0, le=1)] = 0.4, scale: PositiveFloat = 80.0) -> None:
        super().__init__()
        self.kept = losses.CircleLoss(relaxation, scale, reducer=reducers.MeanReducer())

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of all anchors with both kinds of pairs."""
        rows = positives.any(1) & negatives.any(1)
        return of_pairs(self.kept, anchors, references, positives, negatives, rows)
