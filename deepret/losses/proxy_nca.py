"""Proxy-NCA: neighbourhood components over one proxy a class."""

from __future__ import annotations

import torch
from pydantic import NonNegativeInt, PositiveFloat
from torch import Tensor, nn

from deepret.losses.classes import ClassBased, directions
from deepret.losses.similarity import cosines, nothing


class ProxyNCA(ClassBased):
    """Wants each code nearer to the proxy of its class than to the proxies of all others.

    L = −log exp(−s d_y) / Σ_{c ≠ y} exp(−s d_c), d_c = ‖f − p_c‖², code and proxies of length one, the mean over the
    anchors, in float32 (float64 stays). It may be negative: as published, the own proxy is not in the sum, which
    pytorch-metric-learning's has it in. The proxies start at random directions, in each ranking stage again.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned; from the program.
        code_length: D, of the codes; from the program.
        scale: s; 1 as published. d is at most 4, so that at 1 no proxy is ever much likelier than the others.
        rate: learning rate of the proxies, as a multiple of the network's.
        seed: of the directions that the proxies start at.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor, or one class.

    Paper: Movshovitz-Attias, Toshev, Leung, Ioffe, Singh, "No fuss distance metric learning using proxies", ICCV 2017.
    """

    def __init__(
        self,
        class_ids: Tensor,
        code_length: int,
        scale: PositiveFloat = 9.0,
        rate: PositiveFloat = 100.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__(class_ids, rate)
        self.weight = nn.Parameter(directions(len(class_ids), code_length, seed))
        self.scale = scale

    def loss(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The mean loss."""
        if len(self.weight) == 1:
            return nothing(codes, self.weight)
        logits, own = self.logits(codes), numbers[:, None]
        return (logits.scatter(1, own, -torch.inf).logsumexp(1) - logits.gather(1, own)[:, 0]).mean()

    def logits(self, codes: Tensor) -> Tensor:
        """−s ‖f − p_c‖² (A, C)."""
        return -self.scale * (2 - 2 * cosines(codes, self.weight))
