"""Proxy-Anchor: one proxy a class, which pulls and pushes all images of a batch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat
from pytorch_metric_learning import losses
from torch import Tensor

from deepret.losses.metric_learning import OfClasses


class ProxyAnchor(OfClasses):
    """Pulls the images of a class to its proxy and pushes all others away, each the more the worse it lies.

    L = 1/C⁺ Σ_c log(1 + Σ_{f of c} exp(−α (s_fc − m))) + 1/C Σ_c log(1 + Σ_{f of others} exp(α (s_fc + m))), s_fc the
    cosine of a code and a proxy, C⁺ the classes that have an anchor, C all, in float32 (float64 where the proxies are).
    It is a mean over proxies, not over anchors. The proxies start at random directions, in each ranking stage again.
    The formula is pytorch-metric-learning's.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned; from the program.
        code_length: D, of the codes; from the program.
        margin: m, in cosine.
        alpha: α; more looks at the hardest images alone.
        rate: learning rate of the proxies, as a multiple of the network's; 100 as published.
        seed: of the directions that the proxies start at.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor.

    Paper: Kim, Kim, Cho, Kwak, "Proxy anchor loss for deep metric learning", CVPR 2020.
    """

    def __init__(
        self,
        class_ids: Tensor,
        code_length: int,
        margin: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        alpha: PositiveFloat = 32.0,
        rate: PositiveFloat = 100.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(losses.ProxyAnchorLoss, class_ids, code_length, rate, seed, margin=margin, alpha=alpha)
