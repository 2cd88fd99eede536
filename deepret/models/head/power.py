"""The signed power law."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.head.base import UNFITTED, without_zeros
from deepret.models.principal import principal
from deepret.models.types import Codes

SMALLEST = 1e-8
"""Below it the power law is a straight line, so that its slope at zero is finite."""


class Power(nn.Module):
    """Draws the entries of a code together, so that no few of them decide: y = L2(sign(z) |z|^a), z = Q L2(x).

    Q is the identity or, with ``rotate``, turns to the principal axes of the train split's codes, where what occurs
    together in many codes is one entry: its first rows are the eigenvectors of the codes' covariance, the largest
    eigenvalue first, as many as the codes differ in and ``axes`` at most. Their signs do not matter to the power law.
    The rest of the space is turned with them, to no axes of a meaning. Q is orthogonal and has no shift, so all cosines
    are as before, and the power law alone changes them. It is kept as reflections (Householder's), which take 33 MB for
    1,024 axes of codes of 8,064 dimensions.

    With ``rotate`` it is fitted before any training, and a training leaves it as it is.

    Args:
        channels: D, the length of the codes.
        power: a in 0…1; 1 leaves codes as they are, ½ is the signed square root.
        rotate: whether codes are turned first.
        axes: principal axes that are looked for.

    Shape:
        Codes (M, D) → Codes (M, D), rows of length one, and zero for codes that are zero.

    Raises:
        UserError: used before it is fitted, where it is to be.

    Paper: Jégou, Zisserman, "Triangulation embedding and democratic aggregation for image search", CVPR 2014 (with Q);
    Perronnin, Sánchez, Mensink, "Improving the Fisher kernel for large-scale image classification", ECCV 2010.
    """

    reflections: Tensor
    scales: Tensor
    fitted: Tensor

    def __init__(
        self,
        channels: int,
        power: Annotated[float, Field(gt=0, le=1)] = 0.5,
        rotate: bool = False,
        axes: PositiveInt = 1024,
    ) -> None:
        super().__init__()
        self.power = power
        self.rotate = rotate
        self.axes = min(axes, channels)
        self.dim = channels
        if rotate:
            self.register_buffer("reflections", torch.zeros(channels, self.axes))
            self.register_buffer("scales", torch.zeros(self.axes))
            self.register_buffer("fitted", torch.tensor(False))

    @property
    def needs_fit(self) -> bool:
        """Whether it has axes to find."""
        return self.rotate

    @torch.no_grad()
    def fit(self, vectors: Tensor, labels: Tensor | None = None) -> None:
        """Finds Q for codes (n, D), which need not be normalised; labels count for nothing.

        Raises:
            UserError: codes that are all alike, or some that are no numbers.
        """
        codes = without_zeros(vectors)[0]
        found = principal(codes, self.axes, "head", "codes") if len(codes) > 1 else None
        if found is None or not len(found.axes):
            raise UserError(
                f"head.rotate=true: the {len(codes):,} codes of the training split are all alike and have no axes: "
                f"give more images, or take head.rotate=false."
            )
        reflections, scales = torch.geqrf(found.axes.T.contiguous())
        self.reflections.zero_()[:, : len(scales)] = reflections
        self.scales.zero_()[: len(scales)] = scales
        self.fitted.fill_(True)

    def forward(self, codes: Codes) -> Codes:
        """Turns the codes and applies the power law."""
        turned = F.normalize(codes.vectors, dim=1)
        if self.rotate:
            if not self.fitted:
                raise UserError(UNFITTED)
            turned = torch.ormqr(self.reflections, self.scales, turned.T, left=True, transpose=True).T
        drawn = turned * turned.abs().clamp(min=SMALLEST) ** (self.power - 1)
        return Codes(F.normalize(drawn, dim=1), codes.image)
