"""A PCA for each part of a vector, where descriptors of several kinds stand side by side."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.projection.pca import PCA


class PartsPCA(nn.Module):
    """Cuts each vector into parts of given lengths, and projects each by a PCA of its own: y = [P_1(x_1) … P_n(x_n)].

    Args:
        channels: C, from the backbone.
        lengths: of the parts, C in all.
        dim: D, the components that are kept of each part.
        whitening: as in ``PCA``.
        normalise: as in ``PCA``, for each part.

    Shape:
        (N, C) → (N, nD).

    Raises:
        UserError: lengths that do not add up; as ``PCA``.
    """

    needs_fit: ClassVar[bool] = True

    def __init__(
        self,
        channels: int,
        lengths: Annotated[list[PositiveInt], Field(min_length=1)],
        dim: PositiveInt = 64,
        whitening: Annotated[float, Field(ge=0, le=1)] = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if sum(lengths) != channels:
            raise UserError(
                f"projection.lengths={list(lengths)}: they add up to {sum(lengths)}, and the backbone gives {channels} "
                f"channels; give the lengths of all parts, in their order."
            )
        if dim > min(lengths):
            raise UserError(
                f"projection.dim={dim}: the shortest of the parts has {min(lengths)} numbers (projection.lengths); "
                f"take at most that many."
            )
        self.dim = len(lengths) * dim
        self.lengths = list(lengths)
        self.parts = nn.ModuleList(PCA(length, dim, whitening, normalise) for length in lengths)

    @property
    def fitted(self) -> Tensor:
        """Whether all parts are fitted."""
        return torch.stack([part.fitted for part in self._each()]).all()

    def fit(self, vectors: Tensor, labels: Tensor | None = None) -> None:
        """Fits each part on its share of vectors (n, C); labels count for nothing.

        Raises:
            UserError: as ``PCA.fit``.
        """
        for part, own in zip(self._each(), self._cut(vectors), strict=True):
            part.fit(own)

    def forward(self, vectors: Tensor) -> Tensor:
        """The parts' projections, side by side."""
        return torch.cat([part(own) for part, own in zip(self._each(), self._cut(vectors), strict=True)], dim=1)

    def _each(self) -> list[PCA]:
        return [part for part in self.parts if isinstance(part, PCA)]

    def _cut(self, vectors: Tensor) -> tuple[Tensor, ...]:
        return torch.split(vectors, self.lengths, dim=1)
