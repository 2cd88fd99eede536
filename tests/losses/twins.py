"""What tests of losses share: batches, and the comparison of a loss with a slow, obvious twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = torch.tensor([2, 3, 5, 8])
"""Labels of the train split."""


class Batch(NamedTuple):
    """What a loss is called with."""

    anchors: Tensor
    references: Tensor
    positives: Tensor
    negatives: Tensor
    labels: Tensor


Slow = Callable[[Batch], Tensor]
"""A loss as its paper writes it, one number after the other, with a gradient."""


def whole(count: int = 8, memory: int = 0, seed: int = 0, dim: int = 5, spread: float = 1.0) -> Batch:
    """A batch of images of ``CLASSES``, each an anchor, and a memory that it is compared with, too."""
    random = torch.Generator().manual_seed(seed)
    names = CLASSES[torch.randint(len(CLASSES), (count + memory,), generator=random)]
    centres = torch.randn(int(CLASSES.max()) + 1, dim, generator=random, dtype=torch.float64)
    noise = torch.randn(count + memory, dim, generator=random, dtype=torch.float64)
    codes = F.normalize(centres[names] + spread * noise, dim=1)
    same = names[:count, None] == names
    itself = torch.eye(count, count + memory, dtype=torch.bool)
    return Batch(codes[:count], codes, same & ~itself, ~same, names[:count])


def drawn(seed: int = 0, anchors: int = 6, references: int = 9, share: float = 0.3) -> Batch:
    """Any codes and masks, as a miner may leave them: some anchors are the same, some have no positive or negative."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.randint(references, (anchors,), generator=random)
    codes = F.normalize(torch.randn(references, 5, generator=random, dtype=torch.float64), dim=1)
    kind = torch.rand(anchors, references, generator=random)
    kind[torch.arange(anchors), rows] = 0.5  # nobody is compared with itself
    labels = CLASSES[torch.randint(len(CLASSES), (anchors,), generator=random)]
    return Batch(codes[rows], codes, kind < share, kind > 1 - share, labels)


def one_triplet() -> Batch:
    """Cosines .8 to the positive and .6 to the negative."""
    codes = torch.tensor([[1.0, 0, 0, 0, 0], [0.8, 0.6, 0, 0, 0], [0.6, 0, 0.8, 0, 0]], dtype=torch.float64)
    mask = torch.eye(3, dtype=torch.bool)
    return Batch(codes[:1], codes, mask[1:2], mask[2:], CLASSES[:1])


BATCHES = {
    "whole": whole(),
    "whole, many": whole(20, seed=1),
    "close": whole(12, seed=2, spread=0.2),
    "memory": whole(6, memory=11, seed=3),
    "drawn": drawn(4),
    "drawn, sparse": drawn(5, 8, 7, share=0.12),
    "drawn, dense": drawn(6, 5, 12, share=0.5),
    "one triplet": one_triplet(),
    "one pair": one_triplet()._replace(positives=torch.zeros(1, 3, dtype=torch.bool)),
    "no positive": drawn(7)._replace(positives=torch.zeros(6, 9, dtype=torch.bool)),
    "no negative": drawn(8)._replace(negatives=torch.zeros(6, 9, dtype=torch.bool)),
}
every_batch = pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)


def trained(loss: nn.Module, seed: int = 0) -> nn.Module:
    """A loss in float64 whose own parameters are as if they had learned something."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in loss.double().parameters():
            part.copy_(torch.randn(part.shape, generator=random, dtype=torch.float64))
    return loss


def agrees(loss: nn.Module, slow: Slow, batch: Batch) -> None:
    """Compares value and gradients, of the codes and of what the loss learns itself, with the twin's."""
    anchors, references = batch.anchors.clone().requires_grad_(), batch.references.clone().requires_grad_()
    batch = batch._replace(anchors=anchors, references=references)
    learned = [anchors, references, *loss.parameters()]
    found, wanted = loss(*batch), slow(batch)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    expected = torch.autograd.grad(wanted, learned, materialize_grads=True) if wanted.requires_grad else None
    gradients = torch.autograd.grad(found, learned, materialize_grads=True)
    torch.testing.assert_close(gradients, expected or tuple(map(torch.zeros_like, learned)), rtol=1e-6, atol=1e-8)


def mean(values: list[Tensor]) -> Tensor:
    """The mean; zero of nothing."""
    return torch.stack(values).mean() if values else torch.zeros((), dtype=torch.float64)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum() / (a.norm() * b.norm())


def rows_of(mask: Tensor) -> list[int]:
    """The places where a row of a mask is true."""
    return [i for i, is_in in enumerate(mask.tolist()) if is_in]
