from __future__ import annotations

import torch

from deepret.training.mining.all import All


def test_leaves_everything_as_it_is() -> None:
    anchors, references = torch.randn(3, 4), torch.randn(5, 4)
    positives, negatives = torch.rand(3, 5) < 0.3, torch.rand(3, 5) < 0.3
    rows, kept, other = All().select(anchors, references, positives, negatives)
    assert rows.tolist() == [0, 1, 2]
    assert torch.equal(kept, positives)
    assert torch.equal(other, negatives)
    assert not All.pooled
