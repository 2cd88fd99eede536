"""What the encoders of local features have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.types import Codes, Regions


class Encoder(nn.Module, ABC):
    """Turns the local features of an image into one code, by a codebook that is learned on a training set's.

    A local feature is a region with a projected vector x_t (D): a cell of a map, or a RootSIFT descriptor. Its weight
    α_t multiplies what it adds to the code.

    Args:
        setting: the setting that says how many entries the codebook has.
        size: how many.
        samples: vectors that it is learned on, at most, drawn at random.
        seed: of that draw, and of the learning.

    Shape:
        Regions with vectors (N, D), weights (N,), B images → Codes (B, ``dim``), zero for an image without regions.

    Raises:
        UserError: used before it is fitted; a weight for each channel of a region; vectors to fit it that are too few,
            too much alike or no numbers.
    """

    needs_fit: ClassVar[bool] = True
    one_code: ClassVar[bool] = True
    dim: int
    fitted: Tensor

    def __init__(self, setting: str, size: int, samples: int, seed: int) -> None:
        super().__init__()
        self.setting = f"aggregation.{setting}={size}"
        self.size = size
        self.samples = samples
        self.seed = seed
        self.register_buffer("fitted", torch.tensor(False))

    @torch.no_grad()
    def fit(self, vectors: Tensor, labels: Tensor | None = None) -> None:
        """Learns the codebook from projected vectors (n, D); labels count for nothing.

        The same vectors and seed give the same codebook, to the last bit.

        Raises:
            UserError: vectors that are too few, too much alike or no numbers.
        """
        self.learn(self.drawn(vectors))
        self.fitted.fill_(True)

    @abstractmethod
    def learn(self, sample: Tensor) -> None:
        """Learns the codebook from vectors (n, D) on the CPU, all of them numbers."""

    @abstractmethod
    def encode(self, regions: Regions, weights: Tensor, batch: int) -> Tensor:
        """Codes (B, ``dim``) of the images of a batch."""

    def forward(self, regions: Regions, weights: Tensor, batch: int) -> Codes:
        """One code an image; zero for an image without regions."""
        assert regions.vectors is not None
        if not self.fitted:
            raise UserError(
                "the aggregation is not fitted yet: fit it on projected vectors of the training split, load a "
                "checkpoint that holds a fitted one, or take aggregation=sum."
            )
        if weights.ndim != 1:
            raise UserError(
                "weighting: this one weighs the channels of a region, and an encoder takes one weight for each region; "
                "take weighting=uniform."
            )
        codes = self.encode(regions, weights, batch)
        return Codes(codes, torch.arange(batch, device=codes.device))

    def drawn(self, vectors: Tensor) -> Tensor:
        """At most ``samples`` of the vectors (n, D), in their order, in memory.

        Raises:
            UserError: some of them are no numbers, or there are too few.
        """
        bad = sum(int((~block.isfinite()).any(1).sum()) for block in torch.split(vectors, 4096))
        if bad:
            raise UserError(
                f"{self.setting}: {bad:,} of {len(vectors):,} vectors of the training split hold values that are no "
                f"finite numbers; look at the backbone's weights, or at the photographs."
            )
        if len(vectors) > self.samples:
            order = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(self.seed))
            vectors = vectors[order[: self.samples].sort().values]
        sample = vectors.to("cpu", torch.float32)
        self.check_distinct(sample)
        return sample

    def check_distinct(self, sample: Tensor) -> None:
        """Checks that vectors (n, D) can be told apart well enough to learn a codebook from them.

        Raises:
            UserError: fewer different ones than the codebook has entries, or only one.
        """
        distinct = len(torch.unique(sample, dim=0)) if len(sample) else 0
        if distinct < max(2, self.size):
            raise UserError(
                f"{self.setting}: it takes at least {max(2, self.size):,} different vectors to learn as many entries, "
                f"and the training split gave {distinct:,} ({len(sample):,} in all); lower it, raise "
                f"stages.fit_images, stages.fit_regions or aggregation.samples, take regions that are many in each "
                f"image (regions=cells), or give more images."
            )


def by_image(regions: Regions, weights: Tensor, batch: int) -> list[tuple[Tensor, Tensor]]:
    """The vectors (T, D) and weights (T,) of each image's regions."""
    assert regions.vectors is not None
    counts = torch.bincount(regions.image, minlength=batch).tolist()
    return list(zip(torch.split(regions.vectors, counts), torch.split(weights, counts), strict=True))
