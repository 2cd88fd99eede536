"""Several losses at once."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from deepret.errors import UserError, closest


class Sum(nn.Module):
    """Learns by several losses, such as one of classes and one of pairs.

    L = Σ_i w_i L_i, over the same anchors, references and masks. What a loss learns itself does so at its own rate.

    Args:
        losses: name → loss; None leaves it out.
        weights: name → w; 1 where nothing is said.

    Shape:
        anchors (A, D), references (M, D), positives and negatives (A, M) bool, labels (A,) → scalar.

    Raises:
        UserError: there is no loss, something that is none, or a weight of none.
    """

    def __init__(self, losses: dict[str, nn.Module | None], weights: dict[str, NonNegativeFloat] | None = None) -> None:
        super().__init__()
        given = {name: loss for name, loss in losses.items() if loss is not None}
        for name, loss in given.items():
            if not isinstance(loss, nn.Module):
                raise UserError(
                    f"loss.losses.{name}={loss!r}: this is no loss; take one: loss@loss.losses.{name}=triplet."
                )
        for name in weights or {}:
            if name not in losses:
                raise UserError(f"loss.weights.{name}: there is no such loss; {closest(name, losses)}")
        if not given:
            raise UserError("loss.losses is empty: give a loss at least, loss@loss.losses.first=triplet.")
        self.parts = nn.ModuleDict(given)
        self.weights = {name: (weights or {}).get(name, 1.0) for name in given}

    def forward(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The weighted sum."""
        found = self.losses(anchors, references, positives, negatives, labels)
        return torch.stack([self.weights[name] * loss for name, loss in found.items()]).sum()

    def losses(self, *batch: Any) -> dict[str, Tensor]:
        """What each loss says, without its weight."""
        return {name: loss(*batch) for name, loss in self.parts.items()}

    @torch.no_grad()
    def statistics(
        self, anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What each loss is, without its weight, and its own statistics, under its name."""
        batch = (anchors, references, positives, negatives, labels)
        found = {f"{name} loss": loss for name, loss in self.losses(*batch).items()}
        for name, loss in self.parts.items():
            own = getattr(loss, "statistics", None)
            found |= {f"{name} {key}": value for key, value in (own(*batch) if own else {}).items()}
        return found
