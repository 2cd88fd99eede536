"""Principal components of region vectors, plain, whitened or anything between."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.principal import principal_rows


class PCA(nn.Module):
    """Projects region vectors on the principal components of a training set's: y = L2(P (L2(x) − μ)).

    The rows of P are v_iᵀ λ_i^(−w/2), where λ_i and v_i are the largest eigenvalues of the covariance of L2-normalised
    vectors and their eigenvectors: w = 0 is plain PCA, w = 1 whitening, w = ½ between the two.

    Args:
        channels: C, from the backbone.
        dim: D, the components that are kept.
        whitening: w, how far the components are brought to one scale.
        normalise: whether the projected vectors are brought to length one too. Encoders of local features take them as
            they are: how long one is says how far it is from the mean, and a mixture of Gaussians models that.

    Shape:
        (N, C) → (N, D), rows of length one unless told otherwise, and zero for vectors that are zero.

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
        self,
        channels: int,
        dim: PositiveInt = 512,
        whitening: Annotated[float, Field(ge=0, le=1)] = 0.5,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        if dim > channels:
            raise UserError(f"projection.dim={dim}: the backbone gives {channels} channels; take at most that many.")
        self.dim = dim
        self.whitening = whitening
        self.normalise = normalise
        self._keep(torch.zeros(channels), torch.zeros(dim, channels))
        self.register_buffer("fitted", torch.tensor(False))

    def _keep(self, mean: Tensor, rows: Tensor) -> None:
        """Makes room for μ (C,) and P (D, C)."""
        self.register_buffer("mean", mean)
        self.register_buffer("rows", rows)

    @torch.no_grad()
    def fit(self, vectors: Tensor, labels: Tensor | None = None) -> None:
        """Learns μ and P from region vectors (n, C), which need not be normalised; labels count for nothing.

        Raises:
            UserError: too few vectors, or vectors that differ in fewer than D directions.
        """
        mean, rows = principal_rows(vectors, self.dim, self.whitening)
        self.mean.copy_(mean)
        self.rows.copy_(rows)
        self.fitted.fill_(True)

    def forward(self, vectors: Tensor) -> Tensor:
        """Projects vectors, each brought to length one before, and after unless told otherwise."""
        if not self.fitted:
            raise UserError(
                "the projection is not fitted yet: fit it on region vectors of the training split, load a checkpoint "
                "that holds one, or take projection=none."
            )
        there = (vectors != 0).any(dim=1, keepdim=True)  # nothing responds in a region whose vector is zero
        projected = F.linear(F.normalize(vectors, dim=1) - self.mean, self.rows) * there
        return F.normalize(projected, dim=1) if self.normalise else projected
