"""VLAD: what an image's local features differ by from the centres next to them."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import centres
from deepret.models.aggregation.encoder import Encoder
from deepret.models.types import Regions

ROUNDED = 1e-5
"""A sum of residuals that is shorter than this share of the longest centre is what float32 rounds."""


class VLAD(Encoder):
    """Sums the residuals of local features at each of K centres: v_k = Σ_{x_t nearest to c_k} α_t (x_t − m_k).

    f = L2([v_1 … v_K]), each v_k scaled to length one before (intra-normalisation), so that no burst of like features
    drowns the others. m_k is the centre c_k, or, adapted to the set that is searched, the mean of that set's features
    nearest to c_k. Differentiable in x_t and α_t; which centre is nearest has no gradient.

    Args:
        channels: D, the length of a local feature.
        centres: K, of the k-means.
        intra: whether each v_k is normalised.
        adapt: the split of the data to which m_k is adapted, once the centres are found on the train split. Its labels
            are not looked at.
        samples: vectors that the centres are found on, at most, drawn at random; m_k is the mean of
            all that it is adapted to.
        seed: of that draw, and of the k-means.

    Shape:
        Regions with vectors (N, D), weights (N,), B images → Codes (B, KD).

    Raises:
        UserError: as ``Encoder``.

    Paper: Jégou, Douze, Schmid, Pérez, "Aggregating local descriptors into a compact image representation", CVPR 2010;
    Arandjelović, Zisserman, "All about VLAD", CVPR 2013 (intra-normalisation and adaptation).
    """

    centres: Tensor
    means: Tensor

    def __init__(
        self,
        channels: int,
        centres: PositiveInt = 64,
        intra: bool = True,
        adapt: Literal["val", "test", "query", "gallery", "distractor"] | None = None,
        samples: PositiveInt = 50_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__("centres", centres, samples, seed)
        self.dim = centres * channels
        self.intra = intra
        self.adapt_to = adapt
        self.register_buffer("centres", torch.zeros(centres, channels))
        self.register_buffer("means", torch.zeros(centres, channels))

    def learn(self, sample: Tensor) -> None:
        """Finds the centres of vectors (n, D); residuals are taken from them."""
        self.centres.copy_(centres(sample, self.size, self.seed))
        self.means.copy_(self.centres)

    @torch.no_grad()
    def adapt(self, vectors: Tensor) -> None:
        """Takes residuals from the means of another set's vectors (n, D) at each centre; a centre without any stays.

        Raises:
            UserError: no vectors, or some that are no numbers.
        """
        bad = sum(int((~block.isfinite()).any(1).sum()) for block in torch.split(vectors, 4096))
        if bad or not len(vectors):
            raise UserError(
                f"aggregation.adapt={self.adapt_to}: {bad:,} of the {len(vectors):,} vectors of that split are no "
                f"finite numbers; look at its photographs, or take aggregation.adapt=null."
            )
        sums = torch.zeros(self.means.shape, dtype=torch.float64, device=self.means.device)
        counts = torch.zeros(self.size, dtype=torch.float64, device=self.means.device)
        for block in torch.split(vectors, 4096):
            block = block.to(self.means.device)
            own = nearest(block, self.centres)
            sums.index_add_(0, own, block.double())
            counts += torch.bincount(own, minlength=self.size)
        found = counts > 0
        self.means.copy_(self.centres)
        self.means[found] = (sums[found] / counts[found, None]).to(self.means.dtype)

    def encode(self, regions: Regions, weights: Tensor, batch: int) -> Tensor:
        """Codes (B, KD)."""
        assert regions.vectors is not None
        own = nearest(regions.vectors, self.centres)
        residuals = weights[:, None] * (regions.vectors - self.means[own])
        sums = residuals.new_zeros(batch * self.size, residuals.shape[1])
        sums = sums.index_add(0, regions.image * self.size + own, residuals).view(batch, self.size, -1)
        if self.intra:  # what is left of features that lie at their centre but for rounding counts for nothing
            sums = F.normalize(sums, dim=2, eps=ROUNDED * float(self.means.norm(dim=1).amax()))
        return F.normalize(sums.flatten(1), dim=1)


def nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    """The centre (n,) of K that is nearest to each of the vectors (n, D); the first one among equals."""
    with torch.no_grad():  # by differences: by products float32 would take one centre for another next to it
        return torch.cdist(vectors, centres, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
