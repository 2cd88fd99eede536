"""Cross-entropy over the classes of the training set, the published retraining of neural codes."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from deepret.losses.classes import ClassBased


class Classification(ClassBased):
    """Wants each image's class to be told from its code by a linear layer, which is left behind after training.

    L = −log p(y | f), p(c | f) = softmax_c(s (w_c · f + b_c)), the mean over the anchors, in float32 (float64 stays).
    Weights and biases start at zero, in each ranking stage again: every class is as likely, and no random number is
    drawn. Positives and negatives count for nothing; ``mining=all`` makes each image an anchor once, the other choices
    one for each pair or triplet.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned; from the program.
        code_length: D, of the codes; from the program.
        scale: s. Codes of length one need one above 1 to be told apart surely; codes of a head without L2 do not.
        smoothing: share of the probability that is wanted for all classes alike.
        rate: learning rate of the layer, as a multiple of the network's, which knows much already.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor.

    Paper: Babenko, Slesarev, Chigorin, Lempitsky, "Neural codes for image retrieval", ECCV 2014, section 4.
    """

    def __init__(
        self,
        class_ids: Tensor,
        code_length: int,
        scale: PositiveFloat = 16.0,
        smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        rate: PositiveFloat = 100.0,
    ) -> None:
        super().__init__(class_ids, rate)
        self.weight = nn.Parameter(torch.zeros(len(class_ids), code_length))
        self.bias = nn.Parameter(torch.zeros(len(class_ids)))
        self.scale = scale
        self.smoothing = smoothing

    def loss(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The cross-entropy of the layer."""
        return F.cross_entropy(self.logits(codes), numbers, label_smoothing=self.smoothing)

    def logits(self, codes: Tensor) -> Tensor:
        """s (W f + b) (A, C)."""
        kind = torch.promote_types(codes.dtype, self.weight.dtype)
        return self.scale * F.linear(codes.to(kind), self.weight.to(kind), self.bias.to(kind))
