"""Local features of a few images, and encoders that are fitted on others like them."""

from __future__ import annotations

import torch
from torch import Tensor

from deepret.models.aggregation.encoder import Encoder
from deepret.models.aggregation.fisher import Fisher
from deepret.models.aggregation.sparse import Sparse
from deepret.models.aggregation.triangulation import Triangulation
from deepret.models.aggregation.vlad import VLAD
from deepret.models.types import Codes, Regions

DIM = 6
ENCODERS = {
    "fisher": lambda **more: Fisher(DIM, components=3, **more),
    "fisher in parts": lambda **more: Fisher(DIM, components=2, parts=2, **more),
    "vlad": lambda **more: VLAD(DIM, centres=4, **more),
    "triangulation": lambda **more: Triangulation(DIM, centres=3, **more),
    "triangulation, one centre": lambda **more: Triangulation(DIM, centres=1, rounds=0, **more),
    "sparse": lambda **more: Sparse(DIM, atoms=8, nonzeros=3, **more),
    "sparse, sums": lambda **more: Sparse(DIM, atoms=8, nonzeros=3, pooling="sum", **more),
}


def vectors(count: int, seed: int = 0, dim: int = DIM) -> Tensor:
    """Vectors (n, D) around a few places."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(5, dim, generator=torch.Generator().manual_seed(99))
    which = torch.randint(5, (count,), generator=generator)
    return places[which] + 0.4 * torch.randn(count, dim, generator=generator)


def regions(counts: list[int], seed: int = 1, dim: int = DIM) -> Regions:
    """Local features of images that have so many, each in a box somewhere."""
    generator = torch.Generator().manual_seed(seed)
    total = sum(counts)
    corners = torch.randint(0, 20, (total, 2), generator=generator)
    boxes = torch.cat([corners, corners + torch.randint(1, 5, (total, 2), generator=generator)], 1)
    image = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Regions(boxes, image, vectors(total, seed, dim))


def weights(count: int, seed: int = 2) -> Tensor:
    """Weights (n,) between a half and one and a half."""
    return 0.5 + torch.rand(count, generator=torch.Generator().manual_seed(seed))


def fitted(name: str, **more: object) -> Encoder:
    """An encoder that is fitted."""
    encoder: Encoder = ENCODERS[name](**more)
    encoder.fit(vectors(300))
    return encoder


def of_image(found: Regions, image: int) -> Regions:
    """The regions of one image, as a batch of one."""
    own = found.image == image
    assert found.vectors is not None
    return Regions(found.boxes[own], torch.zeros_like(found.image[own]), found.vectors[own])


def code(encoder: Encoder, found: Regions, own: Tensor | None = None, batch: int = 1) -> Tensor:
    """Codes (B, D) of a batch, every weight one unless given."""
    codes: Codes = encoder(found, torch.ones(len(found.boxes)) if own is None else own, batch)
    return codes.vectors
