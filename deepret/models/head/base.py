"""What heads that are learned from codes have in common."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.data.check import report
from deepret.errors import UserError
from deepret.models.principal import told
from deepret.models.types import Codes

UNFITTED = (
    "the head is not fitted yet: fit it on codes of the training split, load a checkpoint that holds one, or take "
    "head=l2."
)


class Affine(nn.Module):
    """Shifts codes and projects them: y = L2(P (L2(x) − m)). Who derives from it writes ``fit``, which finds m and P.

    m and P are buffers: a training leaves them as they were fitted before it, and codes learn through them. A code of
    zero stays zero, so that whoever describes can say it.

    Args:
        channels: C, the length of the codes.
        dim: D, the components that are kept.

    Shape:
        Codes (M, C) → Codes (M, D), rows of length one.

    Raises:
        UserError: more dimensions than the codes have; used before it is fitted.
    """

    needs_fit: ClassVar[bool] = True
    ordered: ClassVar[bool] = True
    """The first k entries of a code, of length one again, are the code that ``dim=k`` gives."""
    mean: Tensor
    rows: Tensor
    fitted: Tensor

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        if dim > channels:
            raise UserError(f"head.dim={dim}: the codes have {channels} dimensions; take at most that many.")
        self.dim = dim
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("rows", torch.zeros(dim, channels))
        self.register_buffer("fitted", torch.tensor(False))

    def _keep(self, mean: Tensor, rows: Tensor) -> None:
        """Takes m (C,) and P (D, C)."""
        self.mean.copy_(mean)
        self.rows.copy_(rows)
        self.fitted.fill_(True)

    def forward(self, codes: Codes) -> Codes:
        """Projects codes."""
        if not self.fitted:
            raise UserError(UNFITTED)
        found = F.linear(F.normalize(codes.vectors, dim=1) - self.mean, self.rows)
        there = (codes.vectors != 0).any(dim=1, keepdim=True)
        return Codes(F.normalize(found, dim=1) * there, codes.image)


def without_zeros(codes: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Codes (n, C) that are not zero, with their labels (n,); those that are zero are told."""
    there = told(codes)
    if there.all():
        return codes, labels
    report(
        f"{int((~there).sum()):,} of the {len(codes):,} codes that the head is fitted on are zero, and left out: "
        f"nothing in those photographs excites the network."
    )
    return codes[there], None if labels is None else labels[there]
