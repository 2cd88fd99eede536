"""The Fisher vector: how a mixture of Gaussians would have to change to fit an image's local features."""

from __future__ import annotations

from math import log, pi
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import mixture
from deepret.models.aggregation.encoder import Encoder, by_image
from deepret.models.types import Regions

TINY = 1e-12
"""Below it the square root goes on as a straight line, so that its gradient is finite where a component has no part."""


class Fisher(Encoder):
    """Gradients of the log-likelihood of a mixture of K Gaussians with diagonal covariance, scaled to one variance.

    ::

        γ_t(k) = w_k N(x_t; μ_k, σ_k) / Σ_j w_j N(x_t; μ_j, σ_j)
        G_μk   = 1 / (T √w_k)  Σ_t α_t γ_t(k) (x_t − μ_k) / σ_k
        G_σk   = 1 / (T √2w_k) Σ_t α_t γ_t(k) ((x_t − μ_k)² / σ_k² − 1)
        f      = L2(sign(G) √|G|),  G = [G_μ1 … G_μK, G_σ1 … G_σK],  T = Σ_t α_t

    With several parts, x_t is cut into as many of one length, each has a mixture and an f of its own, and the code is
    L2([f_1 … f_P]): descriptors of different kinds, such as RootSIFT and colours, count alike. Differentiable in x_t
    and α_t.

    Args:
        channels: D, the length of a local feature.
        components: K, of each mixture.
        parts: P, how many equal parts a local feature is cut into.
        floor: what is added to every variance, as a share of the mean variance: none can vanish.
        samples: vectors that the mixtures are fitted on, at most, drawn at random.
        seed: of that draw, and of the k-means that the fit starts from.

    Shape:
        Regions with vectors (N, D), weights (N,), B images → Codes (B, 2KD).

    Raises:
        UserError: a length that cannot be cut into equal parts; as ``Encoder``.

    Paper: Perronnin, Sánchez, Mensink, "Improving the Fisher kernel for large-scale image classification", ECCV 2010.
    """

    shares: Tensor
    means: Tensor
    deviations: Tensor

    def __init__(
        self,
        channels: int,
        components: PositiveInt = 16,
        parts: PositiveInt = 1,
        floor: Annotated[PositiveFloat, Field(lt=1)] = 0.001,
        samples: PositiveInt = 50_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__("components", components, samples, seed)
        if channels % parts:
            raise UserError(
                f"aggregation.parts={parts}: the projection gives {channels} dimensions, which cannot be cut into as "
                f"many equal parts."
            )
        self.dim = 2 * components * channels
        self.parts = parts
        self.floor = floor
        length = channels // parts
        self.register_buffer("shares", torch.zeros(parts, components))
        self.register_buffer("means", torch.zeros(parts, components, length))
        self.register_buffer("deviations", torch.ones(parts, components, length))

    def learn(self, sample: Tensor) -> None:
        """Fits a mixture to each part of vectors (n, D)."""
        for p, part in enumerate(sample.chunk(self.parts, dim=1)):
            self.check_distinct(part)
            found = mixture(part, self.size, self.floor, self.seed)
            for own, value in zip((self.shares, self.means, self.deviations), found, strict=True):
                own[p].copy_(value)

    def encode(self, regions: Regions, weights: Tensor, batch: int) -> Tensor:
        """Codes (B, 2KD)."""
        codes = []
        for vectors, own in by_image(regions, weights, batch):
            parts = [
                F.normalize(signed_root(fisher_gradients(part, own, *model)).flatten(), dim=0)
                for part, *model in zip(
                    vectors.chunk(self.parts, dim=1), self.shares, self.means, self.deviations, strict=True
                )
            ]
            codes.append(F.normalize(torch.cat(parts), dim=0))
        return torch.stack(codes).to(weights.dtype)


def fisher_gradients(vectors: Tensor, weights: Tensor, shares: Tensor, means: Tensor, deviations: Tensor) -> Tensor:
    """G_μ and G_σ (2, K, D) of one image's vectors (T, D), in float64; zero where there is none.

    By the sums Σ αγ, Σ αγ x and Σ αγ x²: nothing of size T · K · D is made.

    Args:
        vectors: x_t, (T, D).
        weights: α_t, (T,).
        shares: w_k, (K,).
        means: μ_k, (K, D).
        deviations: σ_k, (K, D).
    """
    vectors, weights, shares, means, deviations = (
        tensor.double() for tensor in (vectors, weights, shares, means, deviations)
    )
    parts = weights[:, None] * posteriors(vectors, shares, means, deviations)
    zeroth, first, second = parts.sum(0)[:, None], parts.T @ vectors, parts.T @ vectors.square()
    by_means = (first - zeroth * means) / deviations
    by_deviations = (second - 2 * first * means + zeroth * means.square()) / deviations.square() - zeroth
    scale = weights.sum().clamp_min(TINY) * shares.sqrt()[:, None]
    return torch.stack([by_means / scale, by_deviations / (scale * 2**0.5)])


def posteriors(vectors: Tensor, shares: Tensor, means: Tensor, deviations: Tensor) -> Tensor:
    """γ (T, K): how likely each vector (T, D) is of each component."""
    precisions = deviations.square().reciprocal()
    distances = (
        vectors.square() @ precisions.T - 2 * vectors @ (means * precisions).T + (means.square() * precisions).sum(1)
    )
    constants = shares.log() - deviations.log().sum(1) - 0.5 * means.shape[1] * log(2 * pi)
    return (constants - 0.5 * distances).softmax(1)


def signed_root(values: Tensor) -> Tensor:
    """sign(x) √|x|, with a finite gradient at zero."""
    return values * values.abs().clamp_min(TINY).rsqrt()
