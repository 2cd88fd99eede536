"""InfoNCE, one positive after the other."""

from __future__ import annotations

import pytest
import torch
from losses.twins import BATCHES, Batch, agrees, cosine, every_batch, mean, rows_of, whole
from pytorch_metric_learning.losses import NPairsLoss, NTXentLoss
from torch import Tensor

from deepret.losses.infonce import InfoNCE


def slow(batch: Batch, temperature: float, normalize: bool) -> Tensor:
    found = []
    for a, anchor in enumerate(batch.anchors):
        similar = [cosine(anchor, r) if normalize else anchor @ r for r in batch.references]
        others = [torch.exp(similar[n] / temperature) for n in rows_of(batch.negatives[a])]
        for p in rows_of(batch.positives[a]) if others else []:
            own = torch.exp(similar[p] / temperature)
            found.append(-torch.log(own / (own + torch.stack(others).sum())))
    return mean(found)


@every_batch
@pytest.mark.parametrize("temperature", [0.05, 0.3, 1.0])
def test_agrees_with_loops(batch: Batch, temperature: float) -> None:
    agrees(InfoNCE(temperature), lambda b: slow(b, temperature, True), batch)


@pytest.mark.parametrize("name", ["whole", "memory", "drawn"])
def test_codes_as_long_as_they_are(name: str) -> None:
    batch = BATCHES[name]
    batch = batch._replace(
        anchors=2 * batch.anchors, references=batch.references * torch.rand(len(batch.references), 1)
    )
    agrees(InfoNCE(1.0, normalize=False), lambda b: slow(b, 1.0, False), batch)


def test_agrees_with_pytorch_metric_learning() -> None:
    batch = whole(16)
    wanted = NTXentLoss(0.2)(batch.anchors, batch.labels)
    torch.testing.assert_close(InfoNCE(0.2)(*batch), wanted, rtol=1e-9, atol=0)


def test_is_the_n_pair_loss_on_its_own_pairs() -> None:
    """Each class has an anchor and a positive, which is all that the others' anchors see of it."""
    codes = 2 * torch.randn(8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    anchors, positives = codes[0::2], codes[1::2]
    mask = torch.eye(4, dtype=torch.bool)
    found = InfoNCE(1.0, normalize=False)(anchors, positives, mask, ~mask)
    loss = NPairsLoss()
    loss.distance.normalize_embeddings = False
    wanted = loss(codes, torch.arange(4).repeat_interleave(2))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=0)


def test_a_hopeless_positive_has_a_gradient_in_float32() -> None:
    """The softmax itself is zero in float32, and its logarithm must not be taken of it."""
    codes = torch.tensor([[1.0, 0], [-1, 0], [1, 0.01]], requires_grad=True)
    mask = torch.eye(3, dtype=torch.bool)
    loss = InfoNCE(0.01)(codes[:1], codes, mask[1:2], mask[2:])
    assert float(loss.detach()) == pytest.approx(200, rel=1e-3)
    loss.backward()
    assert codes.grad is not None
    assert codes.grad[2].abs().max() > 0.1


def test_memory_grows_with_pairs_of_positives_and_not_with_those_of_both() -> None:
    batch = whole(64, dim=16)
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        InfoNCE()(batch.anchors.requires_grad_(), *batch[1:])
    assert max(sizes) <= 64 * 64 < int(batch.positives.sum() * batch.negatives.sum()) / 100
