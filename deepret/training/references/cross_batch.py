"""Cross-batch memory."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn


class CrossBatchMemory(nn.Module):
    """Compares each image of a batch with the whole batch and with the codes of batches before it, as they were then.

    While a network changes slowly, codes of some steps ago are nearly those of today, and cost nothing: many more
    negatives than fit into a batch. They have no gradient. The memory is a queue over the batches of all processes, so
    it is the same in each, and a part of a run's state.

    Args:
        size: codes that it holds; the oldest go first.
        start: steps before it is used, while the network changes fast.

    Shape:
        codes (n, D), labels (n,) → the batch's, then what is remembered: (n + m, D), (n + m,), m ≤ size.

    Paper: Wang, Zhang, Huang, Scott, "Cross-batch memory for embedding learning", CVPR 2020.
    """

    def __init__(self, size: PositiveInt = 2048, start: NonNegativeInt = 0) -> None:
        super().__init__()
        self.size = size
        self.start = start
        self.steps = 0
        self.codes: Tensor | None = None
        self.labels: Tensor | None = None

    def forward(self, codes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The batch and what is remembered; then the batch is remembered too."""
        known, names = self.codes, self.labels
        used = self.steps >= self.start and known is not None and names is not None
        if known is None or names is None:
            known, names = codes.detach()[:0], labels[:0]
        known, names = known.to(codes.device), names.to(labels.device)
        found = (torch.cat([codes, known]), torch.cat([labels, names])) if used else (codes, labels)
        self.codes = torch.cat([known, codes.detach()])[-self.size :].clone()
        self.labels = torch.cat([names, labels])[-self.size :].clone()
        self.steps += 1
        return found

    def get_extra_state(self) -> dict[str, Any]:
        """What a resumed run needs to know."""
        return {"steps": self.steps, "codes": self.codes, "labels": self.labels}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Goes on where the run was cut off."""
        self.steps, self.codes, self.labels = state["steps"], state["codes"], state["labels"]
