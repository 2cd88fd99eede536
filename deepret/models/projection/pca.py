"""Principal components of region vectors, plain, whitened or anything between."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from deepret.errors import UserError


class PCA(nn.Module):
    """Projects region vectors on the principal components of a training set's: y = L2(P (L2(x) − μ)).

    The rows of P are v_iᵀ λ_i^(−w/2), where λ_i and v_i are the largest eigenvalues of the covariance of L2-normalised
    vectors and their eigenvectors: w = 0 is plain PCA, w = 1 whitening, w = ½ between the two.

    Args:
        channels: C, from the backbone.
        dim: D, the components that are kept.
        whitening: w, how far the components are brought to one scale.

    Shape:
        (N, C) → (N, D), rows of length one.

    Raises:
        UserError: more dimensions than channels; used before it is fitted; too few vectors to fit it.

    Paper: Jégou, Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening",
    ECCV 2012.
    """

    needs_fit: ClassVar[bool] = True
    mean: Tensor
    rows: Tensor
    fitted: Tensor

    def __init__(
        self, channels: int, dim: PositiveInt = 512, whitening: Annotated[float, Field(ge=0, le=1)] = 0.5
    ) -> None:
        super().__init__()
        if dim > channels:
            raise UserError(f"projection.dim={dim}: the backbone gives {channels} channels; take at most that many.")
        self.dim = dim
        self.whitening = whitening
        self._keep(torch.zeros(channels), torch.zeros(dim, channels))
        self.register_buffer("fitted", torch.tensor(False))

    def _keep(self, mean: Tensor, rows: Tensor) -> None:
        """Makes room for μ (C,) and P (D, C)."""
        self.register_buffer("mean", mean)
        self.register_buffer("rows", rows)

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Learns μ and P from region vectors (n, C), which need not be normalised.

        Raises:
            UserError: too few vectors, or vectors that differ in fewer than D directions.
        """
        mean, rows = principal_rows(vectors, self.dim, self.whitening)
        self.mean.copy_(mean)
        self.rows.copy_(rows)
        self.fitted.fill_(True)

    def forward(self, vectors: Tensor) -> Tensor:
        """Projects vectors; the length of each is one before and after."""
        if not self.fitted:
            raise UserError(
                "the projection is not fitted yet: fit it on region vectors of the training split, load a checkpoint "
                "that holds one, or take projection=none."
            )
        return F.normalize(F.linear(F.normalize(vectors, dim=1) - self.mean, self.rows), dim=1)


def principal_rows(vectors: Tensor, dim: int, whitening: float) -> tuple[Tensor, Tensor]:
    """Mean (C,) and projection (dim, C) of L2-normalised vectors (n, C), computed in float64.

    The sign of each row is the one that makes its largest entry positive, so the same vectors give the same rows.

    Raises:
        UserError: too few vectors, or vectors that differ in fewer than ``dim`` directions.
    """
    if len(vectors) <= dim:
        raise UserError(
            f"projection.dim={dim}: it takes more than {dim} region vectors to find as many components, and the "
            f"training split gave {len(vectors)}; lower dim, or give more images."
        )
    blocks = torch.split(vectors, 4096)  # bounds the memory that float64 takes
    mean = torch.stack([_unit(block).sum(0) for block in blocks]).sum(0) / len(vectors)
    scatter = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64, device=vectors.device)
    for block in blocks:
        centred = _unit(block) - mean
        scatter += centred.T @ centred
    values, columns = _principal(scatter / (len(vectors) - 1))
    values, rows = values[:dim], columns.T[:dim]
    distinct = int((values > 1e-12 * values[0]).sum())
    if distinct < dim:
        raise UserError(
            f"projection.dim={dim}: the {len(vectors)} region vectors of the training split differ in {distinct} "
            f"directions only; lower dim, or give more images."
        )
    largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
    return mean, rows * largest.sign() * values[:, None] ** (-whitening / 2)


def _principal(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenvalues (C,) of a covariance matrix, the largest first, and its eigenvectors (C, C) in columns."""
    try:
        values, columns = torch.linalg.eigh(covariance)
    except RuntimeError as error:
        if "converge" not in str(error):
            raise
        # on some processors it gives up on matrices of low rank
        columns, values, _ = torch.linalg.svd(covariance)
        return values, columns
    return values.flip(0), columns.flip(1)


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.double(), dim=1)
