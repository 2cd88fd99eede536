"""Codes as the aggregation leaves them."""

from __future__ import annotations

from torch import nn

from deepret.models.types import Codes


class NoHead(nn.Module):
    """Hands the codes on unchanged.

    Shape:
        Codes (M, D) → Codes (M, D).
    """

    def forward(self, codes: Codes) -> Codes:
        """The same codes."""
        return codes
