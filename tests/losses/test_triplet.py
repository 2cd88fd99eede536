from __future__ import annotations

from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import distances, losses
from torch import Tensor

from deepret.losses.triplet import Triplet, squared_distances, triplets_of

Reduction = Literal["active", "mean", "sum"]


def slow_triplets(
    anchors: Tensor, references: Tensor, positives: Tensor, negatives: Tensor, margin: float
) -> list[Tensor]:
    """The loss of one triplet after the other."""
    found = []
    for a, anchor in enumerate(anchors):
        for p, positive in enumerate(references):
            for n, negative in enumerate(references):
                if positives[a, p] and negatives[a, n]:
                    near, far = ((anchor - positive) ** 2).sum(), ((anchor - negative) ** 2).sum()
                    found.append(0.5 * torch.clamp(margin + near - far, min=0))
    return found


def slow_loss(triplets: list[Tensor], reduction: Reduction) -> Tensor:
    if not triplets:
        return torch.tensor(0.0)
    active = [x for x in triplets if x > 0]
    total = torch.stack(triplets).sum()
    if reduction == "sum":
        return total
    return total / (max(len(active), 1) if reduction == "active" else len(triplets))


def batch(
    seed: int, anchors: int, references: int, share: float, dim: int = 5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random codes of length one in float64, and masks that exclude each other."""
    random = torch.Generator().manual_seed(seed)
    rows = [torch.randn(n, dim, generator=random, dtype=torch.float64) for n in (anchors, references)]
    kind = torch.rand(anchors, references, generator=random)
    return F.normalize(rows[0], dim=1), F.normalize(rows[1], dim=1), kind < share, kind > 1 - share


def classes(count: int, each: int, dim: int, seed: int = 0, spread: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (n, D) of ``count`` classes, with the masks of all other images of the class and of all other classes."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(count, dim, generator=random).repeat_interleave(each, 0)
    codes = F.normalize(centres + spread * torch.randn(count * each, dim, generator=random), dim=1)
    labels = torch.arange(count).repeat_interleave(each)
    same = labels[:, None] == labels
    return codes, same & ~torch.eye(len(labels), dtype=torch.bool), ~same


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    anchors=st.integers(1, 6),
    references=st.integers(1, 7),
    share=st.sampled_from([0.0, 0.2, 0.5]),
    margin=st.sampled_from([0.01, 0.1, 1.0, 5.0]),
    reduction=st.sampled_from(["active", "mean", "sum"]),
)
def test_agrees_with_a_loop_over_triplets(
    seed: int, anchors: int, references: int, share: float, margin: float, reduction: Reduction
) -> None:
    a, r, positives, negatives = batch(seed, anchors, references, share)
    a.requires_grad_()
    r.requires_grad_()
    slow = slow_triplets(a, r, positives, negatives, margin)
    loss = Triplet(margin, reduction)(a, r, positives, negatives)
    wanted = slow_loss(slow, reduction)
    torch.testing.assert_close(loss, wanted.double(), rtol=1e-12, atol=1e-12)

    gradients = torch.autograd.grad(loss, (a, r))
    expected = torch.autograd.grad(wanted, (a, r)) if slow else (torch.zeros_like(a), torch.zeros_like(r))
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-12)

    share_active = sum(float(x > 0) for x in slow) / max(len(slow), 1)
    assert Triplet(margin).statistics(a, r, positives, negatives)["active triplets"] == pytest.approx(share_active)
    assert triplets_of(positives, negatives) == len(slow)


def test_one_triplet_by_hand() -> None:
    codes = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])  # squared distances .8 to d⁺, .4 to d⁻
    positives, negatives = torch.zeros(2, 1, 3, dtype=torch.bool).unbind()
    positives[0, 1], negatives[0, 2] = True, True
    assert Triplet(margin=0.1)(codes[:1], codes, positives, negatives).item() == pytest.approx(0.25)


@pytest.mark.parametrize("reduction", ["active", "mean", "sum"])
@pytest.mark.parametrize("kind", ["no positive", "no negative", "neither", "solved"])
def test_nothing_to_learn_is_zero_with_a_gradient(kind: str, reduction: Reduction) -> None:
    codes, positives, negatives = classes(2, 3, 4, spread=0.0 if kind == "solved" else 1.0)
    codes.requires_grad_()
    if kind in ("no positive", "neither"):
        positives = torch.zeros_like(positives)
    if kind in ("no negative", "neither"):
        negatives = torch.zeros_like(negatives)
    loss = Triplet(0.1, reduction)(codes, codes, positives, negatives)
    assert loss.item() == 0
    assert loss.shape == ()
    loss.backward()
    assert codes.grad is not None
    assert torch.equal(codes.grad, torch.zeros_like(codes))


@pytest.mark.parametrize("given_type", [torch.float32, torch.bfloat16, torch.float16])
def test_is_float32_whatever_the_precision(given_type: torch.dtype) -> None:
    codes, positives, negatives = classes(8, 4, 64, spread=2.0)
    codes = codes.to(given_type)
    exact = Triplet()(codes.double(), codes.double(), positives, negatives)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = Triplet()(codes, codes, positives, negatives)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)


def test_distances_under_autocast_are_those_without() -> None:
    codes, _, _ = classes(8, 4, 64)
    plain = squared_distances(codes, codes)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(squared_distances(codes, codes), plain)
    exact = (codes[:, None].double() - codes.double()).square().sum(2)
    assert (plain - exact).abs().max() < 1e-6
    assert plain.min() >= 0


def test_agrees_with_pytorch_metric_learning() -> None:
    """An independent second: its loss has no ½ and averages over the triplets with a loss."""
    codes, positives, negatives = classes(5, 4, 8, spread=1.5)
    other = losses.TripletMarginLoss(0.1, distance=distances.LpDistance(normalize_embeddings=False, p=2, power=2))
    wanted = 0.5 * other(codes, torch.arange(5).repeat_interleave(4))
    assert wanted > 0
    torch.testing.assert_close(Triplet(0.1)(codes, codes, positives, negatives), wanted, rtol=1e-5, atol=1e-7)


def test_memory_grows_with_pairs_and_not_with_triplets() -> None:
    """Half of 128 × 128 × 128 triplets in float32 and their mask would be more than 5 MB; the rows of pairs are few."""
    codes, positives, negatives = classes(32, 4, 16)
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        Triplet()(codes.requires_grad_(), codes, positives, negatives)
    assert sizes
    assert max(sizes) == 32 * 4 * 3 * 128  # pairs × references


def test_learns() -> None:
    codes, positives, negatives = classes(4, 4, 8, spread=2.0)
    codes.requires_grad_()
    optimizer = torch.optim.SGD([codes], lr=1.0)
    first = Triplet(0.1, "mean")(codes, codes, positives, negatives).item()
    for _ in range(200):
        optimizer.zero_grad()
        unit = F.normalize(codes, dim=1)
        loss = Triplet(0.1, "mean")(unit, unit, positives, negatives)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * first
