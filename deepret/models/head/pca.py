"""Principal components of codes, plain, whitened or anything between."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from deepret.models.head.base import Affine, without_zeros
from deepret.models.principal import components


class PCA(Affine):
    """Projects codes on the principal components of the train split's: y = L2(P (L2(x) − μ)).

    The rows of P are v_iᵀ λ_i^(−w/2), where λ_i and v_i are the largest eigenvalues of the covariance of L2-normalised
    codes and their eigenvectors, and λ ← (1 − s) λ + s · mean λ first. w = 0 is plain PCA, w = 1 whitening.

    It is fitted before any training, and a training leaves it as it is: codes learn through it.

    Args:
        channels: C, the length of the codes.
        dim: D, the components that are kept.
        whitening: w, how far the components are brought to one scale.
        shrinkage: s, how far the variances are drawn to their mean over all C directions, since those of few codes are
            too large for the first components and too small for the last; nothing for w = 0.

    Shape:
        Codes (M, C) → Codes (M, D), rows of length one, and zero for codes that are zero.

    Raises:
        UserError: more dimensions than the codes have; used before it is fitted; too few codes to fit it.

    Paper: Jégou, Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening",
    ECCV 2012; Babenko, Lempitsky, "Aggregating deep convolutional features for image retrieval", ICCV 2015.
    """

    def __init__(
        self,
        channels: int,
        dim: PositiveInt = 512,
        whitening: Annotated[float, Field(ge=0, le=1)] = 0.5,
        shrinkage: Annotated[float, Field(ge=0, le=1)] = 0.0,
    ) -> None:
        super().__init__(channels, dim)
        self.whitening = whitening
        self.shrinkage = shrinkage

    @torch.no_grad()
    def fit(self, vectors: Tensor, labels: Tensor | None = None) -> None:
        """Learns μ and P from codes (n, C), which need not be normalised; labels count for nothing.

        Raises:
            UserError: too few codes, codes that differ in fewer than D directions, or some that are no numbers.
        """
        found = components(without_zeros(vectors)[0], self.dim, "head.dim", "codes")
        self._keep(found.mean, found.rows(self.whitening, self.shrinkage))
