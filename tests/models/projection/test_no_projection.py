"""No projection."""

from __future__ import annotations

import torch

from deepret.models.projection.none import NoProjection


def test_scales_each_vector_to_length_one() -> None:
    layer = NoProjection(channels=2)
    assert torch.allclose(layer(torch.tensor([[3.0, 4.0], [0.0, 0.0]])), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert layer.dim == 2
    assert not layer.needs_fit


def test_leaves_vectors_alone_when_told_to() -> None:
    vectors = torch.tensor([[3.0, 4.0]])
    assert NoProjection(channels=2, normalise=False)(vectors) is vectors
