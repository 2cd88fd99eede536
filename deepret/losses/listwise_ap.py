"""The listwise loss of AP-GeM: average precision over a histogram of similarities."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from deepret.losses.similarity import cosines, nothing


class ListwiseAP(nn.Module):
    """Wants the positives of each anchor ranked before its negatives: 1 − AP, from similarities sorted into bins.

    Each image belongs to the two bins whose centres b are nearest to its similarity s, by δ = max(0, 1 − |s − b|/Δ).
    From the bin at s = 1 down, precision_b = positives / images of the bins so far, Δrecall_b = the bin's share of the
    positives, AP = Σ_b precision_b · Δrecall_b. The loss is 1 − AP, the mean over the anchors that have a positive, in
    float32 (float64 stays). s is the cosine with the anchor; the anchor itself is not searched for.

    Args:
        bins: how many; few are coarse, and many leave most images without a gradient from each other.
        lowest: the similarity of the last bin, which has all that are less similar, too.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where there is no positive. Memory: A × M × bins.

    Paper: Revaud, Almazán, Rezende, de Souza, "Learning with average precision: training image retrieval with a
    listwise loss", ICCV 2019; the histogram is He, Lu, Sclaroff's, "Local descriptors optimized for average precision",
    CVPR 2018.
    """

    def __init__(
        self, bins: Annotated[int, Field(ge=2)] = 20, lowest: Annotated[float, Field(ge=-1, lt=1)] = -1.0
    ) -> None:
        super().__init__()
        self.bins = bins
        self.lowest = lowest

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """1 − mean AP."""
        asked = positives.any(1)
        if not asked.any():
            return nothing(anchors, references)
        belongs = self.histogram(cosines(anchors[asked], references))
        right = (belongs * positives[asked, :, None]).sum(1)
        found = right + (belongs * negatives[asked, :, None]).sum(1)
        seen, total = right.cumsum(1), found.cumsum(1)
        precision = seen / torch.where(total > 0, total, 1)
        recall = right / positives[asked].sum(1, keepdim=True)
        return 1 - (precision * recall).sum(1).mean()

    def histogram(self, similarities: Tensor) -> Tensor:
        """How much each similarity (A, M) belongs to each bin (A, M, bins), the most similar first; they sum to 1."""
        step = (1 - self.lowest) / (self.bins - 1)
        places = (1 - similarities).clamp(0, 1 - self.lowest) / step
        centres = torch.arange(self.bins, device=similarities.device)
        return F.relu(1 - (places[..., None] - centres).abs())
