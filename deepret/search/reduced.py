"""Codes of fewer dimensions, by a PCA of their own or by the one that their head is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.models.principal import components, project, told

Describe = Callable[[Sequence[Photo]], Tensor]


def reduce_codes(describe: Describe, photos: Sequence[Photo], dims: int, whitening: float = 0.0) -> Describe:
    """Describes with ``dims`` dimensions by a PCA, learned on other photographs than are searched.

    y = L2(P (L2(x) − μ)), with μ the mean of the normalised codes and the rows of P v_iᵀ λ_i^(−w/2), from the largest
    eigenvalues of their covariance and their eigenvectors. A code of zero stays zero, and is none of what the PCA is
    learned on.

    Args:
        describe: photographs → codes (n, D), or sets of them (n, K, D), each object reduced by itself.
        photos: what the PCA is learned on; more than ``dims``.
        dims: dimensions kept, D at most.
        whitening: w, 0 for plain PCA and 1 for whitening.

    Raises:
        UserError: too many dimensions, or photographs that are too few or too much alike.
    """
    codes = describe(photos).flatten(0, -2)
    codes = codes[told(codes)]
    if dims >= min(codes.shape[1] + 1, len(codes)):
        raise UserError(
            f"dims={dims}: the codes have {codes.shape[1]} dimensions and the train split {len(codes)} images; "
            f"take at most as many as the codes have, and fewer than there are images."
        )
    found = components(codes, dims, "dims", "codes")
    mean, rows = found.mean, found.rows(whitening)

    def reduced(asked: Sequence[Photo]) -> Tensor:
        codes = describe(asked)
        short = F.normalize(project(codes.flatten(0, -2), mean, rows), dim=1).float()
        return short.reshape(*codes.shape[:-1], dims)

    return reduced


def first_entries(describe: Describe, dims: int) -> Describe:
    """Describes with the first ``dims`` entries of codes whose head has them in order: y = L2(x_1 … x_dims).

    A head that is a PCA itself gives with fewer components the same first ones, and of whitened codes another PCA would
    find all directions alike.

    Args:
        describe: photographs → codes (n, D).
        dims: D at most; described with more, they are refused.
    """

    def cut(asked: Sequence[Photo]) -> Tensor:
        codes = describe(asked)
        if dims > codes.shape[-1]:
            raise UserError(f"dims={dims}: the codes have {codes.shape[-1]} dimensions; take at most as many.")
        return F.normalize(codes[..., :dims], dim=-1).float()

    return cut
