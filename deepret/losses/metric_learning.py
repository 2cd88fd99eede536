"""Losses of pytorch-metric-learning, behind the contract of this framework's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deepret.losses.classes import ClassBased, directions
from deepret.losses.similarity import exact, nothing


def of_pairs(
    loss: nn.Module, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, rows: Tensor
) -> Tensor:
    """A loss of the library's that looks at the masks alone, in float32 (float64 stays).

    Args:
        loss: one of the library's that makes masks of the pairs that it is given.
        anchors: (A, D).
        references: (M, D).
        positives: (A, M) bool.
        negatives: (A, M) bool.
        rows: (A,) bool, the anchors that count; zero, with a gradient of zero, where none does.
    """
    if not rows.any():
        return nothing(anchors, references)
    alike, unlike = (mask[rows].nonzero(as_tuple=True) for mask in (positives, negatives))
    if len(alike[0]) <= 1 and len(unlike[0]) <= 1:  # the library takes one pair for none; twice is the same mask
        alike, unlike = (tuple(part.repeat(2) for part in pairs) for pairs in (alike, unlike))
    with torch.autocast(anchors.device.type, enabled=False):
        found: Tensor = loss(exact(anchors)[rows], indices_tuple=(*alike, *unlike), ref_emb=exact(references))
        return found


class OfClasses(ClassBased):
    """A loss of the library's that has weights for each class, which start at random directions.

    Args:
        kind: makes it of the number of classes and the length of the codes.
        class_ids: (C,) int64, ascending, the labels that are learned.
        code_length: D, of the codes.
        rate: learning rate of the weights, as a multiple of the network's.
        seed: of the directions.
        settings: of the loss.
    """

    def __init__(
        self,
        kind: Callable[..., nn.Module],
        class_ids: Tensor,
        code_length: int,
        rate: float,
        seed: int,
        **settings: Any,
    ) -> None:
        super().__init__(class_ids, rate)
        self.kept = kind(len(class_ids), code_length, weight_init_func=nn.init.zeros_, **settings)
        start = directions(len(class_ids), code_length, seed)
        with torch.no_grad():
            for name, part in self.kept.named_parameters():
                part.copy_(start if name == "proxies" else start.T)  # the others have a column for each class

    def loss(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The library's mean over the anchors, in the precision of the weights: it would cast them to the codes'."""
        found: Tensor = self.kept(codes.to(self.precision()), numbers)
        return found

    def logits(self, codes: Tensor) -> Tensor:
        """The library's, without a margin."""
        found: Tensor = self.kept.get_logits(codes.to(self.precision()))  # type: ignore[operator]
        return found

    def precision(self) -> torch.dtype:
        """What the weights are in."""
        return next(self.kept.parameters()).dtype
