"""Triangulation embedding: the directions from a few centres to each local feature, whitened and summed."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import centres
from deepret.models.aggregation.encoder import Encoder, by_image
from deepret.models.principal import LARGEST, eigen, upright
from deepret.models.types import Regions

BLOCK = 1024
"""Vectors embedded at a time in fitting, at K · D = 8192 64 MB in float64; and columns of their covariance."""
SAME = 1e-7
"""A vector that is no further from a centre, as a share of its length, is at it but for rounding."""


class Triangulation(Encoder):
    """Embeds each local feature by its directions from K centres, and sums the embeddings: f = Σ_t α_t λ_t φ(x_t).

    ::

        r_k(x) = (x − c_k) / ‖x − c_k‖,  R(x) = [r_1(x) … r_K(x)]
        φ(x)   = the coordinates of Σ^(−1/2) (R(x) − mean R) along Σ's eigenvectors, without the first few

    Σ is the covariance of R over the training set; the eigenvectors of its largest eigenvalues say least of what an
    image shows. Democratic weights λ_t make every feature count alike in f: λ_t Σ_j λ_j max(0, φ_tᵀφ_j) = 1. They
    start at 1, and each round divides them by the root of what this is; similarities below zero are left out, so that
    there is a root. They do not depend on α. Rotation, power law and L2 are the head's (``head=power``).
    Differentiable in x_t and α_t, but where x_t is a centre.

    Args:
        channels: D, the length of a local feature.
        centres: K, of the k-means.
        dropped: eigenvectors that are left out; null: D of them, as published, and none with one centre, where R has no
            more than D.
        rounds: of the democratic weights; 0 leaves λ_t = 1, a plain sum.
        samples: vectors that centres, mean and covariance are found on, at most, drawn at random; more than K · D.
        seed: of that draw, and of the k-means.

    Shape:
        Regions with vectors (N, D), weights (N,), B images → Codes (B, KD − dropped), of any length.

    Raises:
        UserError: more dropped than there are, or K · D above 20,000; no more vectors than K · D, or of fewer
            directions; as ``Encoder``.

    Paper: Jégou, Zisserman, "Triangulation embedding and democratic aggregation for image search", CVPR 2014.
    """

    centres: Tensor
    mean: Tensor
    rows: Tensor

    def __init__(
        self,
        channels: int,
        centres: PositiveInt = 16,
        dropped: NonNegativeInt | None = None,
        rounds: NonNegativeInt = 10,
        samples: PositiveInt = 50_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__("centres", centres, samples, seed)
        whole = centres * channels
        dropped = (channels if centres > 1 else 0) if dropped is None else dropped
        if dropped >= whole:
            raise UserError(
                f"aggregation.dropped={dropped}: {centres} centres and {channels} dimensions make {whole}, so nothing "
                f"would be left; take fewer than that."
            )
        if whole > LARGEST:
            raise UserError(
                f"aggregation.centres={centres}: with vectors of {channels:,} dimensions it makes {whole:,}, and the "
                f"covariance of so many takes gigabytes; take projection=pca projection.dim=64, or fewer centres."
            )
        self.dim = whole - dropped
        self.rounds = rounds
        self.register_buffer("centres", torch.zeros(centres, channels))
        self.register_buffer("mean", torch.zeros(whole))
        self.register_buffer("rows", torch.zeros(self.dim, whole))

    def learn(self, sample: Tensor) -> None:
        """Finds the centres of vectors (n, D), then mean and whitening of R, in float64 where the network is."""
        whole = len(self.mean)
        if len(sample) <= whole:
            raise UserError(
                f"{self.setting}: it takes more than {whole:,} vectors to whiten as many dimensions, and there are "
                f"{len(sample):,}; lower it, or raise stages.fit_images, stages.fit_regions or aggregation.samples."
            )
        self.centres.copy_(centres(sample, self.size, self.seed))
        blocks = [block.to(self.mean.device) for block in torch.split(sample, BLOCK)]
        ones = [torch.ones(len(block), device=self.mean.device) for block in blocks]
        sums = [self.summed(block, one) for block, one in zip(blocks, ones, strict=True)]
        mean = torch.stack(sums).sum(0) / len(sample)
        values, columns = eigen(scatter(self.directions(block).double() - mean for block in blocks) / (len(sample) - 1))
        distinct = int((values > 1e-12 * values[0]).sum())
        if distinct < whole:
            raise UserError(
                f"{self.setting}: the directions from the centres to the {len(sample):,} vectors of the training split "
                f"differ in {distinct:,} of {whole:,} dimensions only; lower it, or give more images."
            )
        first = whole - self.dim
        self.mean.copy_(mean)
        self.rows.copy_(upright(columns.T[first:]) * values[first:, None].rsqrt())

    def encode(self, regions: Regions, weights: Tensor, batch: int) -> Tensor:
        """Codes (B, KD − dropped); image by image, and those that are whitened at once, for whitening is linear."""
        sums = []
        for vectors, own in by_image(regions, weights, batch):
            if self.rounds:
                embedded = F.linear(self.directions(vectors) - self.mean, self.rows)
                own = own * democratic(embedded, self.rounds)
            own = own.double()
            sums.append(self.summed(vectors, own) - own.sum() * self.mean)
        return F.linear(torch.stack(sums).to(self.rows.dtype), self.rows)

    def directions(self, vectors: Tensor) -> Tensor:
        """R (n, KD) of vectors (n, D); r_k is zero at its centre."""
        offsets = vectors[:, None] - self.centres
        distances = offsets.norm(dim=2, keepdim=True)
        apart = distances > SAME * vectors.norm(dim=1)[:, None, None]
        return (offsets / torch.where(apart, distances, torch.inf)).flatten(1)

    def summed(self, vectors: Tensor, weights: Tensor) -> Tensor:
        """Σ_t w_t R(x_t) (KD,) of vectors (n, D), in float64, from K products: nothing of size n · K · D is made.

        With u_k the weights over the distances to c_k, it is Σ_t u_kt x_t − c_k Σ_t u_kt.
        """
        vectors, centres = vectors.double(), self.centres.double()
        distances = torch.cdist(vectors, centres)
        apart = distances > SAME * vectors.norm(dim=1, keepdim=True)
        shares = weights.double()[:, None] * torch.where(apart, distances, torch.inf).reciprocal()
        return (shares.T @ vectors - shares.sum(0)[:, None] * centres).flatten()


def scatter(blocks: Iterable[Tensor]) -> Tensor:
    """Σ rowᵀ row (m, m) of the rows in blocks (n, m): half of it is computed, the other half is the same."""
    total = None
    for rows in blocks:
        total = rows.new_zeros(rows.shape[1], rows.shape[1]) if total is None else total
        for first in range(0, len(total), BLOCK):
            own = slice(first, first + BLOCK)
            total[own, first:].addmm_(rows[:, own].T, rows[:, first:])
    assert total is not None
    for first in range(0, len(total), BLOCK):
        total[first:, first : first + BLOCK] = total[first : first + BLOCK, first:].T.clone()
    return total


def democratic(embedded: Tensor, rounds: int) -> Tensor:
    """The weights λ (T,) with which embedded features (T, M) count alike in their sum; 1 for one that is zero."""
    kernel = (embedded @ embedded.T).clamp_min(0)
    weights = embedded.new_ones(len(embedded))
    something = kernel.diagonal() > 1e-12
    for _ in range(rounds):
        counted = (weights * (kernel @ weights)).clamp_min(1e-12).sqrt()
        weights = torch.where(something, weights / counted, weights)
    return weights
