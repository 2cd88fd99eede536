"""Codes of fewer dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.data.photo import Photo
from deepret.errors import UserError

Describe = Callable[[Sequence[Photo]], Tensor]


def reduce_codes(describe: Describe, photos: Sequence[Photo], dims: int) -> Describe:
    """Describes with ``dims`` dimensions by a plain PCA, learned on other photographs than are searched.

    y = L2(Pᵀ (L2(x) − μ)), with μ the mean of the normalised codes and P (D, dims) the eigenvectors of the largest
    eigenvalues of their covariance; nothing is whitened.

    Args:
        describe: photographs → codes (n, D).
        photos: what the PCA is learned on; more than ``dims``.
        dims: dimensions kept, D at most.

    Raises:
        UserError: too many dimensions, or too few photographs.
    """
    codes = describe(photos)
    if not 0 < dims < min(codes.shape[1] + 1, len(codes)):
        raise UserError(
            f"dims={dims}: the codes have {codes.shape[1]} dimensions and the train split {len(codes)} images; "
            f"take at most as many as the codes have, and fewer than there are images."
        )
    unit = F.normalize(codes.double(), dim=1)
    mean = unit.mean(dim=0)
    axes = torch.linalg.eigh((unit - mean).T @ (unit - mean))[1].flip(1)[:, :dims]

    def reduced(asked: Sequence[Photo]) -> Tensor:
        found = F.normalize(describe(asked).double(), dim=1) - mean
        return F.normalize(found @ axes, dim=1).float()

    return reduced
