"""What losses have in common that learn something of each class of the train split."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.losses.similarity import exact, nothing


class ClassBased(nn.Module, ABC):
    """Tells each image's class from its code, by what it has learned of the classes; left behind after training.

    Positives and negatives count for nothing; ``mining=all`` makes each image an anchor once, the other choices one for
    each pair or triplet. An unlabelled photograph of ``data.views`` is a class of its own here, too.

    Args:
        class_ids: (C,) int64, ascending, the labels that are learned.
        rate: learning rate of what is learned of them, as a multiple of the network's.

    Shape:
        anchors (A, D), labels (A,) → scalar; zero, with a gradient of zero, where there is no anchor.
    """

    def __init__(self, class_ids: Tensor, rate: float) -> None:
        super().__init__()
        self.register_buffer("class_ids", class_ids, persistent=False)
        self.rate = rate

    def forward(
        self,
        anchors: Tensor,
        references: Tensor,
        positives: Tensor,
        negatives: Tensor,
        labels: Tensor | None = None,
    ) -> Tensor:
        """The mean loss of the anchors, by their labels."""
        numbers = self.numbers(labels)
        if not len(numbers):
            return nothing(anchors, references, *self.parameters())
        with torch.autocast(anchors.device.type, enabled=False):
            return self.loss(exact(anchors), numbers)

    @abstractmethod
    def loss(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The mean loss of codes (A, D), A > 0, of classes by their numbers (A,)."""

    @abstractmethod
    def logits(self, codes: Tensor) -> Tensor:
        """How much each code is of each class (A, C): the largest is the one that it is taken for."""

    def numbers(self, labels: Tensor | None) -> Tensor:
        """The place (A,) of each label among the classes.

        Raises:
            UserError: there are no labels, or one that is of no class of the train split.
        """
        name, known = type(self).__name__, self.get_buffer("class_ids")
        mend = "take a loss of pairs, such as loss=triplet"
        if labels is None:
            raise UserError(f"loss: {name} needs labels, one for each image, and there are none; {mend}.")
        found = torch.searchsorted(known, labels).clamp(max=len(known) - 1)
        strange = labels[known[found] != labels]
        if len(strange):
            raise UserError(
                f"loss: {name} needs labels of the train split, and {int(strange[0])} is none of its {len(known):,}; "
                f"label all photographs, or {mend}."
            )
        return found

    @torch.no_grad()
    def statistics(
        self,
        anchors: Tensor,
        references: Tensor,
        positives: Tensor,
        negatives: Tensor,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The share of images whose class is told right."""
        with torch.autocast(anchors.device.type, enabled=False):
            found = self.logits(exact(anchors)).argmax(1)
        return {"accuracy": (found == self.numbers(labels)).float().mean()}


def directions(count: int, length: int, seed: int) -> Tensor:
    """Rows (count, length) of length one that point anywhere, from a seed alone: the same in every process."""
    rows = torch.randn(count, length, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(rows, dim=1)
