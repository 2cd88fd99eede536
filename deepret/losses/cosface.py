"""CosFace: a softmax over classes with a margin between their cosines."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat
from pytorch_metric_learning import losses
from torch import Tensor

from deepret.losses.metric_learning import OfClasses


class CosFace(OfClasses):
    """Wants each code's cosine with its class above those with all others by a margin.

    L = −log softmax_y(s z), z_c = cos θ_c, but z_y = cos θ_y − m, θ_c the angle between the code and the weights of
    class c; the mean over the anchors, in float32 (float64 where the weights are). The weights start at random
    directions, in each ranking stage again. The formula is pytorch-metric-learning's.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned; from the program.
        code_length: D, of the codes; from the program.
        margin: m, in cosine.
        scale: s, of the logits.
        rate: learning rate of the weights, as a multiple of the network's.
        seed: of the directions that the weights start at.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor.

    Paper: Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu, "CosFace: large margin cosine loss for deep face recognition",
    CVPR 2018.
    """

    def __init__(
        self,
        class_ids: Tensor,
        code_length: int,
        margin: Annotated[float, Field(ge=0, lt=2)] = 0.35,
        scale: PositiveFloat = 64.0,
        rate: PositiveFloat = 100.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(losses.CosFaceLoss, class_ids, code_length, rate, seed, margin=margin, scale=scale)
