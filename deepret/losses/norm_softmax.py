"""The normalised softmax: cross-entropy of cosines."""

from __future__ import annotations

from pydantic import NonNegativeInt, PositiveFloat
from pytorch_metric_learning import losses
from torch import Tensor

from deepret.losses.metric_learning import OfClasses


class NormSoftmax(OfClasses):
    """Wants each image's class to be told by the directions of its code and of the classes' weights alone.

    L = −log softmax_y(cos θ / τ), θ_c the angle between the code and the weights of class c; the mean over the anchors,
    in float32 (float64 where the weights are). The weights start at random directions, in each ranking stage again. The
    formula is pytorch-metric-learning's.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned; from the program.
        code_length: D, of the codes; from the program.
        temperature: τ; cosines are at most 2 apart, so that at 1 no class could be told surely.
        rate: learning rate of the weights, as a multiple of the network's.
        seed: of the directions that the weights start at.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor.

    Paper: Zhai, Wu, "Classification is a strong baseline for deep metric learning", BMVC 2019.
    """

    def __init__(
        self,
        class_ids: Tensor,
        code_length: int,
        temperature: PositiveFloat = 0.05,
        rate: PositiveFloat = 100.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(losses.NormalizedSoftmaxLoss, class_ids, code_length, rate, seed, temperature=temperature)
