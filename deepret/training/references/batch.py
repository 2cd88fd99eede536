"""The batch itself."""

from __future__ import annotations

from torch import Tensor, nn


class WholeBatch(nn.Module):
    """Compares each image of a batch with all others of it.

    Shape:
        codes (n, D), labels (n,) → the same.
    """

    def forward(self, codes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The batch as it is."""
        return codes, labels
