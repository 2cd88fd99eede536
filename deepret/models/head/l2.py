"""Codes of length one."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from deepret.models.types import Codes


class L2(nn.Module):
    """Scales every code to length one, so that a dot product is the cosine: f / ‖f‖.

    Shape:
        Codes (M, D) → Codes (M, D).
    """

    def forward(self, codes: Codes) -> Codes:
        """The codes, each of length one."""
        return Codes(F.normalize(codes.vectors, dim=1), codes.image)
