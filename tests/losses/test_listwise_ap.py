"""The listwise loss, bin by bin."""

from __future__ import annotations

import pytest
import torch
from losses.twins import BATCHES, Batch, agrees, cosine, every_batch, mean, rows_of, whole
from sklearn.metrics import average_precision_score
from torch import Tensor

from deepret.losses.listwise_ap import ListwiseAP


def slow(batch: Batch, bins: int, lowest: float) -> Tensor:
    step = (1 - lowest) / (bins - 1)
    found, zero = [], torch.zeros((), dtype=torch.float64)
    for a, anchor in enumerate(batch.anchors):
        near, far = rows_of(batch.positives[a]), rows_of(batch.negatives[a])
        s = [torch.clamp(cosine(anchor, r), min=lowest) for r in batch.references]
        ap, right, total = zero, zero, zero
        for b in range(bins):
            share = [torch.clamp(1 - (x - (1 - b * step)).abs() / step, min=0) for x in s]
            here = sum((share[i] for i in near), zero)
            right, total = right + here, total + here + sum((share[i] for i in far), zero)
            if total > 0:
                ap = ap + right / total * here / max(len(near), 1)
        if near:
            found.append(1 - ap)
    return mean(found)


@every_batch
@pytest.mark.parametrize("settings", [(20, -1.0), (25, 0.0), (2, -1.0)])
def test_agrees_with_loops(batch: Batch, settings: tuple[int, float]) -> None:
    agrees(ListwiseAP(*settings), lambda b: slow(b, *settings), batch)


def test_each_image_belongs_to_the_bins_in_all_once() -> None:
    similar = torch.linspace(-1.001, 1.001, 50).expand(2, 50)
    belongs = ListwiseAP(7, lowest=-0.5).histogram(similar)
    torch.testing.assert_close(belongs.sum(2), torch.ones(2, 50))
    assert (belongs > 0).sum(2).max() <= 2
    assert torch.equal(belongs[0, 0], torch.eye(7)[6])
    assert torch.equal(belongs[0, -1], torch.eye(7)[0])


def test_with_many_bins_it_is_average_precision() -> None:
    batch = whole(12, memory=8, seed=3)
    similar = batch.anchors @ batch.references.T
    wanted = []
    for scores, near, far in zip(similar, batch.positives, batch.negatives, strict=True):
        if near.any():
            wanted.append(1 - average_precision_score(near[near | far], scores[near | far]))
    assert float(ListwiseAP(20_000)(*batch)) == pytest.approx(sum(wanted) / len(wanted), abs=0.02)


def test_by_hand() -> None:
    """Bins are 2/19 apart: s = .8 is 1.9 bins from the first, .6 is 3.8."""
    mask = torch.eye(3, dtype=torch.bool)
    batch = BATCHES["one triplet"]
    wrong = 1 - (0.2 / 1.2 * 0.2 + 1 / 2 * 0.8)
    assert float(ListwiseAP()(batch.anchors, batch.references, mask[1:2], mask[2:])) < 1e-9
    assert float(ListwiseAP()(batch.anchors, batch.references, mask[2:], mask[1:2])) == pytest.approx(wrong)
