"""Whitening of what differs between photographs of one thing."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from deepret.errors import UserError
from deepret.models.head.base import Affine, without_zeros
from deepret.models.principal import DISTINCT, ROUNDED, blocks, covariance, eigen, mean_of, unit, upright

LONGEST = 10_000
"""Longer codes would take matrices of gigabytes."""


class LearnedWhitening(Affine):
    """Shrinks the directions in which photographs of one thing differ (Lw): y = L2(P (L2(x) − m)).

    Over all ordered pairs (q, p) of L2-normalised codes with one label, m is the mean of the q and

        S = Σ (q − p)(q − p)ᵀ / n,   P₁ S P₁ᵀ = I,   P = Eᵀ P₁,

    with E the eigenvectors of the covariance of P₁ (X − m) that have the largest eigenvalues, over all codes X. Pairs
    are never listed: those of a class of n_c codes with mean μ_c sum up to 2 n_c Σ (x − μ_c)(x − μ_c)ᵀ. Codes without a
    label, or alone in their class, count in X only. P₁ = Λ^(−1/2) Vᵀ from S = V Λ Vᵀ: the inverse of S's Cholesky
    factor, which is published, differs from it by a rotation, and E undoes that.

    It is fitted before any training, and a training leaves it as it is: codes learn through it.

    Args:
        channels: C, the length of the codes, 10,000 at most.
        dim: D, the components that are kept.
        shrinkage: s in S ← (1 − s) S + s · mean λ · I, that is ε = s / (1 − s) · mean λ added to the diagonal: needed
            where pairs differ in fewer directions than codes have. 1 is a plain PCA about m.

    Shape:
        Codes (M, C) → Codes (M, D), rows of length one, and zero for codes that are zero.

    Raises:
        UserError: more dimensions than the codes have, or too long codes; used before it is fitted; no positive pairs.

    Paper: Mikolajczyk, Matas, "Improving descriptors for fast tree matching by optimal linear projection", ICCV 2007;
    Radenović, Tolias, Chum, "CNN image retrieval learns from BoW", ECCV 2016.
    """

    def __init__(
        self, channels: int, dim: PositiveInt = 512, shrinkage: Annotated[float, Field(ge=0, le=1)] = 0.5
    ) -> None:
        super().__init__(channels, dim)
        if channels > LONGEST:
            raise UserError(
                f"head: learned whitening takes codes of {LONGEST:,} dimensions at most, and these have {channels:,}; "
                f"take head=pca, or a smaller dim of projection or aggregation."
            )
        self.shrinkage = shrinkage

    @torch.no_grad()
    def fit(self, vectors: Tensor, labels: Tensor | None = None) -> None:
        """Learns m and P from codes (n, C), which need not be normalised, and their labels (n,), −1 for none.

        Raises:
            UserError: no two codes with one label, codes that are all alike, pairs or codes that differ in too few
                directions, or codes that are no numbers.
        """
        codes, labels = without_zeros(vectors, labels)
        centre = mean_of(codes, "head", "codes")
        mean, scatter, pairs = over_pairs(codes, labels, centre)
        if not pairs:
            raise UserError(
                f"head: no two of the {len(codes):,} codes that learned whitening is fitted on have one label, so "
                f"there are no positive pairs: give labels, raise stages.fit_images, or take head=pca."
            )
        spread = covariance(codes, centre)
        if float(spread.trace()) <= ROUNDED * len(spread):
            raise UserError(
                f"head: the {len(codes):,} codes that learned whitening is fitted on are all alike: look at the "
                f"photographs, and at the parts before the head."
            )
        values, columns = eigen(scatter)
        shrunk = (1 - self.shrinkage) * values + self.shrinkage * values.mean()
        floor = DISTINCT * max(float(spread.trace()), DISTINCT)  # of pairs that are alike rounding is all there is
        if (distinct := int((shrunk > floor).sum())) < len(shrunk):
            raise UserError(
                f"head.shrinkage={self.shrinkage:g}: the {pairs:,} positive pairs differ in {distinct} of the codes' "
                f"{len(shrunk)} directions only; raise it, or stages.fit_images."
            )
        first = columns.T / shrunk[:, None].sqrt()
        values, columns = eigen(first @ spread @ first.T)
        if (distinct := int((values > DISTINCT * values[0]).sum())) < self.dim:
            raise UserError(
                f"head.dim={self.dim}: the {len(codes)} codes of the training split differ in {distinct} directions "
                f"only; lower dim, or give more images."
            )
        self._keep(mean, upright(columns.T[: self.dim] @ first))


def over_pairs(codes: Tensor, labels: Tensor | None, centre: Tensor) -> tuple[Tensor, Tensor, int]:
    """Over all ordered pairs of L2-normalised codes (n, C) with one label: m (C,), S (C, C) and n / 2, in float64.

    Σ (x − μ_c)(x − μ_c)ᵀ n_c = Σ n_c x xᵀ − s_c s_cᵀ with s_c the sum of a class.

    Args:
        codes: on any device, or mapped from a file.
        labels: (n,) int64, −1 for none.
        centre: (C,), which is taken off the codes first, so that nothing is lost in the difference.
    """
    labels = torch.full((len(codes),), -1) if labels is None else labels
    _, of, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    sizes = counts[of] * (labels >= 0)
    known, place = torch.unique(of[sizes > 1], return_inverse=True)
    number = counts[known].to(centre)
    row = torch.zeros_like(of).masked_scatter(sizes > 1, place)
    sums = torch.zeros(len(known), codes.shape[1]).to(centre)
    scatter = torch.zeros(codes.shape[1], codes.shape[1]).to(centre)
    parts = blocks(codes)
    length = len(parts[0])
    for part, size, at in zip(parts, torch.split(sizes, length), torch.split(row, length), strict=True):
        paired = size > 1
        own = unit(part[paired.to(part.device)]) - centre
        sums.index_add_(0, at[paired].to(own.device), own)
        scatter += (own * size[paired].to(own)[:, None]).T @ own
    count = (number * (number - 1)).sum()
    mean = centre + (sums * (number - 1)[:, None]).sum(0) / count
    return mean, 2 * (scatter - sums.T @ sums) / count, int(count) // 2
