"""ArcFace: a softmax over classes with a margin between their angles."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt, PositiveFloat
from torch import Tensor, nn

from deepret.losses.classes import ClassBased, directions
from deepret.losses.similarity import cosines, root


class ArcFace(ClassBased):
    """Wants each code nearer to the direction of its class than to all others by an angle.

    L = −log softmax_y(s z), z_c = cos θ_c, but z_y = cos(θ_y + m), θ_c the angle between the code and the weights of
    class c; where θ_y + m > π, z_y = cos θ_y − m sin m, so that it never rises with θ_y; the mean over the anchors, in
    float32 (float64 stays). The weights start at random directions, in each ranking stage again.

    It is computed as cos θ cos m − sin θ sin m, whose gradient is a number on a code that is its class's direction,
    too; that of pytorch-metric-learning's arc cosine is infinite there, but for a clamp that cuts it off.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned; from the program.
        code_length: D, of the codes; from the program.
        margin: m, in radians.
        scale: s, of the logits.
        rate: learning rate of the weights, as a multiple of the network's.
        seed: of the directions that the weights start at.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor.

    Paper: Deng, Guo, Xue, Zafeiriou, "ArcFace: additive angular margin loss for deep face recognition", CVPR 2019.
    """

    def __init__(
        self,
        class_ids: Tensor,
        code_length: int,
        margin: Annotated[float, Field(ge=0, lt=math.pi / 2)] = 0.5,
        scale: PositiveFloat = 64.0,
        rate: PositiveFloat = 100.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(class_ids, rate)
        self.weight = nn.Parameter(directions(len(class_ids), code_length, seed))
        self.margin = margin
        self.scale = scale

    def loss(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The cross-entropy with the margin."""
        cosine = cosines(codes, self.weight)
        own = cosine.gather(1, numbers[:, None])
        sine = root((1 - own.square()).clamp(min=0))
        farther = own * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = own - self.margin * math.sin(self.margin)
        wanted = torch.where(own >= -math.cos(self.margin), farther, beyond)
        return F.cross_entropy(self.scale * cosine.scatter(1, numbers[:, None], wanted), numbers)

    def logits(self, codes: Tensor) -> Tensor:
        """s cos θ (A, C), without a margin."""
        return self.scale * cosines(codes, self.weight)
