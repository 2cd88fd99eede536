"""InfoNCE, which N-pair and NT-Xent are too."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from deepret.losses.similarity import cosines, exact, nothing


class InfoNCE(nn.Module):
    """Wants each positive to be picked out from among the anchor's negatives by a softmax over similarities.

    L(q, d⁺) = −log exp(s⁺/τ) / (exp(s⁺/τ) + Σ_n exp(s_n/τ)), the mean over the pairs of an anchor and a positive that
    have a negative, in float32 (float64 stays). Other positives of the anchor are not in the sum. No table of pairs ×
    pairs is made, as in pytorch-metric-learning's: the sum over the negatives is one number for each anchor.

    With ``normalize=false`` and a temperature of 1 it is the N-pair loss (Sohn, NeurIPS 2016), over all negatives of
    the batch; with one positive an anchor it is SimCLR's NT-Xent.

    Args:
        temperature: τ; less looks at the hardest negatives alone.
        normalize: whether s is the cosine; otherwise it is the product of the codes as they are, which is the same
            where the head makes their length one.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool → scalar; zero, with a gradient of zero,
        where no anchor has both.

    Paper: van den Oord, Li, Vinyals, "Representation learning with contrastive predictive coding", 2018.
    """

    def __init__(self, temperature: PositiveFloat = 0.07, normalize: bool = True) -> None:
        super().__init__()
        self.temperature = temperature
        self.normalize = normalize

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of all pairs of an anchor and a positive."""
        rows = positives.any(1) & negatives.any(1)
        if not rows.any():
            return nothing(anchors, references)
        logits = self.similarities(anchors[rows], references) / self.temperature
        others = logits.masked_fill(~negatives[rows], -torch.inf).logsumexp(1)
        anchor, positive = positives[rows].nonzero(as_tuple=True)
        return F.softplus(others[anchor] - logits[anchor, positive], threshold=50).mean()

    def similarities(self, anchors: Tensor, references: Tensor) -> Tensor:
        """s (A, M)."""
        if self.normalize:
            return cosines(anchors, references)
        with torch.autocast(anchors.device.type, enabled=False):
            return exact(anchors) @ exact(references).T
