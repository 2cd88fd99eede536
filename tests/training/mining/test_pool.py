from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepret.losses.triplet import Triplet
from deepret.training.mining import pool as pool_module
from deepret.training.mining.pool import Pool


def slow_pool(codes: Tensor, labels: Tensor, margin: float, negatives: int) -> set[tuple[int, int, int]]:
    """All triplets with a loss, among the hardest negatives of each query and positive, one after the other."""
    found = set()
    for q in range(len(codes)):
        for p in range(len(codes)):
            if p == q or labels[p] != labels[q]:
                continue
            near = float(((codes[q] - codes[p]) ** 2).sum())
            losses = {}
            for n in range(len(codes)):
                if labels[n] != labels[q]:
                    losses[n] = 0.5 * max(0.0, margin + near - float(((codes[q] - codes[n]) ** 2).sum()))
            hardest = sorted(losses, key=lambda n: -losses[n])[:negatives]
            found |= {(q, p, n) for n in hardest if losses[n] > 0}
    return found


def slow_pairs(
    codes: Tensor, labels: Tensor, pairs: list[tuple[int, int]], pool: list[bool], margin: float, negatives: int
) -> set[tuple[int, int, int]]:
    """The triplets of some pairs, whose negatives are the nearest of the pool, one of each other class at most."""
    found = set()
    for q, p in pairs:
        near = float(((codes[q] - codes[p]) ** 2).sum())
        far = {n: float(((codes[q] - codes[n]) ** 2).sum()) for n in range(len(codes)) if pool[n]}
        taken, clusters = [], {int(labels[q])}
        for n in sorted(far, key=far.__getitem__):
            if len(taken) < negatives and int(labels[n]) not in clusters:
                taken.append(n)
                clusters.add(int(labels[n]))
        found |= {(q, p, n) for n in taken if margin + near - far[n] > 0}
    return found


def some_codes(seed: int, count: int, kinds: int, dim: int = 4) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    codes = F.normalize(torch.randn(count, dim, generator=random, dtype=torch.float64), dim=1)
    return codes, torch.randint(0, kinds, (count,), generator=random)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 14),
    kinds=st.integers(1, 5),
    negatives=st.sampled_from([1, 3, 25]),
    margin=st.sampled_from([0.05, 0.5, 5.0]),
    block=st.sampled_from([1, 4, 64]),
)
def test_agrees_with_loops(seed: int, count: int, kinds: int, negatives: int, margin: float, block: int) -> None:
    codes, labels = some_codes(seed, count, kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_module, "BLOCK", block)
        found = Pool(margin, negatives=negatives).mine(codes, labels, seeded())
    assert found.shape == (len(found), 3)
    assert found.dtype == torch.int64
    triplets = [tuple(row) for row in found.tolist()]
    assert len(set(triplets)) == len(triplets)
    assert set(triplets) == slow_pool(codes, labels, margin, negatives)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(2, 14),
    kinds=st.integers(1, 6),
    negatives=st.sampled_from([1, 2, 25]),
    margin=st.sampled_from([0.05, 0.5, 5.0]),
    block=st.sampled_from([1, 4, 64]),
)
def test_pairs_agree_with_loops(seed: int, count: int, kinds: int, negatives: int, margin: float, block: int) -> None:
    codes, labels = some_codes(seed, count, kinds)
    draws = torch.rand(count, 2, generator=seeded(seed + 1))
    pairs = [(int(q), int(p)) for q in range(count) for p in range(count) if q != p and labels[q] == labels[p]]
    pairs = [pair for pair in pairs if draws[pair[0], 0] < 0.7]
    pool = draws[:, 1] < 0.6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_module, "BLOCK", block)
        miner = Pool(margin, negatives=negatives, one_a_class=True)
        found = miner.mine(codes, labels, seeded(), torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2), pool)
    triplets = [tuple(row) for row in found.tolist()]
    assert len(set(triplets)) == len(triplets)
    assert set(triplets) == slow_pairs(codes, labels, pairs, pool.tolist(), margin, negatives)


def test_the_nearest_of_each_class_is_the_first_of_several() -> None:
    far = torch.inf
    distances = torch.tensor([[3.0, 1.0, 1.0, 2.0, far], [5.0, 4.0, 3.0, far, far]])
    found = pool_module.nearest_of_each(distances, torch.tensor([7, 7, 7, -1, 2]))
    assert found.tolist() == [[far, 1.0, far, 2.0, far], [far, far, 3.0, far, far]]


def test_keeps_no_more_than_asked_and_the_same_for_the_same_seed() -> None:
    codes, labels = some_codes(0, 150, 5)
    everything = {tuple(row) for row in Pool(0.5, triplets=10**6).mine(codes, labels, seeded()).tolist()}
    few = [Pool(0.5, triplets=40).mine(codes, labels, seeded(seed)) for seed in (1, 1, 2)]
    assert len(everything) > 1000
    assert all(len(found) == 40 for found in few)
    assert {tuple(row) for row in few[0].tolist()} <= everything
    assert torch.equal(few[0], few[1])
    assert not torch.equal(few[0], few[2])


def test_draws_all_alike() -> None:
    """Queries of the first and of the last block have the same chance, and so has every place of the order."""
    codes, labels = some_codes(0, 150, 5)
    everything = Pool(0.5, triplets=10**6).mine(codes, labels, seeded())
    expected = (everything[:, 0] < 75).double().mean().item()
    draws = torch.stack([Pool(0.5, triplets=50).mine(codes, labels, seeded(s))[:, 0] < 75 for s in range(40)]).double()
    assert draws.mean().item() == pytest.approx(expected, abs=0.05)  # 2000 draws: a standard deviation of .011
    assert draws[:, :25].mean().item() == pytest.approx(expected, abs=0.08)


def test_every_row_of_a_batch_is_one_triplet() -> None:
    codes, labels = some_codes(0, 60, 6)
    triplets = Pool(0.5).mine(codes, labels, seeded())[:7]
    batch = codes[triplets.flatten()]
    nothing = torch.zeros(21, 21, dtype=torch.bool)
    rows, positives, negatives = Pool().select(batch, batch, nothing, nothing)
    assert rows.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert positives.nonzero().tolist() == [[t, 3 * t + 1] for t in range(7)]
    assert negatives.nonzero().tolist() == [[t, 3 * t + 2] for t in range(7)]
    losses = Triplet(0.5).losses(batch[rows], batch, positives, negatives)[negatives]
    assert losses.min() > 0  # what was mined has a loss
    q, p, n = codes[triplets].unbind(1)
    torch.testing.assert_close(losses, 0.5 * (0.5 + (q - p).square().sum(1) - (q - n).square().sum(1)))


def test_is_pooled() -> None:
    assert Pool.pooled
