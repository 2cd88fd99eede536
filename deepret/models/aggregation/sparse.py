"""Sparse coding: which few atoms of a dictionary make up an image's local features, and where in the image."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import dictionary
from deepret.models.aggregation.encoder import Encoder
from deepret.models.types import Regions

BLOCK = 4096
"""Vectors that are coded at a time."""
CELLS = 5
"""Of the pyramid: the whole image and its four quarters."""


class Sparse(Encoder):
    """Codes each local feature by a few of K atoms, and pools the codes over the image and its quarters.

    ::

        z_t = argmin ‖x_t − Aᵀ z‖ with at most s coefficients, found by orthogonal matching pursuit
        f   = L2([p_0 … p_4]),  p_j = max, or Σ, over t in cell j of α_t |z_t|

    A has the atoms in its rows. Cell 0 is the whole image, cells 1 to 4 are its quarters, row by row. A local feature
    lies where the middle of its box does, the image reaches as far as its own boxes do, and a middle on the line
    between two quarters counts to the right or lower one. Differentiable in x_t and α_t while the same atoms are
    chosen.

    Args:
        channels: D, the length of a local feature.
        atoms: K.
        nonzeros: s, atoms of each local feature, at most.
        pooling: maximum or sum.
        penalty: weight of the absolute coefficients against the error in learning the dictionary.
        samples: vectors that the dictionary is learned on, at most, drawn at random.
        seed: of that draw, and of the learning.

    Shape:
        Regions with vectors (N, D), weights (N,), B images → Codes (B, 5K).

    Raises:
        UserError: more coefficients than atoms; as ``Encoder``.

    Paper: Mairal, Bach, Ponce, Sapiro, "Online dictionary learning for sparse coding", ICML 2009; Yang, Yu, Gong,
    Huang, "Linear spatial pyramid matching using sparse coding for image classification", CVPR 2009.
    """

    atoms: Tensor

    def __init__(
        self,
        channels: int,
        atoms: Annotated[int, Field(ge=1, le=256)] = 256,
        nonzeros: PositiveInt = 5,
        pooling: Literal["max", "sum"] = "max",
        penalty: PositiveFloat = 0.2,
        samples: PositiveInt = 50_000,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__("atoms", atoms, samples, seed)
        if nonzeros > atoms:
            raise UserError(f"aggregation.nonzeros={nonzeros}: the dictionary has {atoms} atoms; take at most as many.")
        self.dim = CELLS * atoms
        self.nonzeros = nonzeros
        self.pooling = pooling
        self.penalty = penalty
        self.register_buffer("atoms", torch.zeros(atoms, channels))

    def learn(self, sample: Tensor) -> None:
        """Learns the dictionary from vectors (n, D)."""
        self.atoms.copy_(dictionary(sample, self.size, self.penalty, self.seed))

    def encode(self, regions: Regions, weights: Tensor, batch: int) -> Tensor:
        """Codes (B, 5K)."""
        assert regions.vectors is not None
        blocks = [pursuit(block, self.atoms, self.nonzeros) for block in torch.split(regions.vectors, BLOCK)]
        codes = torch.cat(blocks).abs() * weights[:, None]
        first = regions.image * CELLS
        cells = torch.cat([first, first + 1 + quarters(regions, batch)])
        pooled = codes.new_zeros(batch * CELLS, self.size)
        if self.pooling == "max":
            pooled = pooled.scatter_reduce(0, cells[:, None].expand(-1, self.size), codes.repeat(2, 1), "amax")
        else:
            pooled = pooled.index_add(0, cells, codes.repeat(2, 1))
        return F.normalize(pooled.view(batch, -1), dim=1)


def quarters(regions: Regions, batch: int) -> Tensor:
    """The quarter (N,) of its image that the middle of each box lies in: 0 and 1 above, 2 and 3 below."""
    x0, y0, x1, y1 = regions.boxes.unbind(1)
    right, lower = (
        low + high >= (_extreme(low, regions.image, batch, "amin") + _extreme(high, regions.image, batch, "amax"))
        for low, high in ((x0, x1), (y0, y1))
    )
    return right.long() + 2 * lower.long()


def _extreme(values: Tensor, image: Tensor, batch: int, kind: str) -> Tensor:
    """The least or greatest of each image's values, at each of them (N,)."""
    return values.new_zeros(batch).scatter_reduce(0, image, values, kind, include_self=False)[image]


def pursuit(vectors: Tensor, atoms: Tensor, nonzeros: int) -> Tensor:
    """Codes (n, K) of vectors (n, D) with at most so many coefficients each, by orthogonal matching pursuit.

    Each step takes the atom that agrees most with what is not explained yet, and then finds the best coefficients of
    all that are taken. It works on the products of atoms alone, for all vectors at once, in float64. A vector that is
    explained already takes no more.

    Args:
        vectors: x, of any length.
        atoms: (K, D), of length one.
        nonzeros: steps.
    """
    atoms = atoms.double()
    products, gram = vectors.double() @ atoms.T, atoms @ atoms.T
    with torch.no_grad():
        enough = 1e-10 * vectors.double().norm(dim=1, keepdim=True)
        left, chosen = products, products.new_zeros(len(products), 0, dtype=torch.int64)
        used = torch.zeros_like(chosen, dtype=torch.bool)
        for step in range(nonzeros):
            if step:
                left = products - (coefficients(products, gram, chosen, used)[:, None] @ gram[chosen])[:, 0]
            strength, atom = left.abs().scatter(1, chosen, 0).max(1, keepdim=True)
            chosen, used = torch.cat([chosen, atom], 1), torch.cat([used, strength > enough], 1)
    found = torch.zeros_like(products).scatter_add(1, chosen, coefficients(products, gram, chosen, used))
    return found.to(vectors.dtype)


def coefficients(products: Tensor, gram: Tensor, chosen: Tensor, used: Tensor) -> Tensor:
    """The best coefficients (n, s) of the chosen atoms (n, s); zero for those that are not used."""
    own = gram[chosen[:, :, None], chosen[:, None]]
    both = used[:, :, None] & used[:, None]
    alone = torch.eye(chosen.shape[1], dtype=gram.dtype, device=gram.device)
    found: Tensor = torch.linalg.solve(torch.where(both, own, alone), products.gather(1, chosen) * used)
    return found
