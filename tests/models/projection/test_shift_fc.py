"""DIR's projection: a PCA that learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepret.errors import UserError
from deepret.models.projection.pca import PCA
from deepret.models.projection.shift_fc import ShiftFC


def samples() -> Tensor:
    return torch.rand(60, 8, generator=torch.Generator().manual_seed(3)) * torch.linspace(2, 0.2, 8)


def test_starts_as_the_pca() -> None:
    pca, layer = PCA(channels=8, dim=5), ShiftFC(channels=8, dim=5)
    pca.fit(samples())
    layer.fit(samples())
    assert torch.equal(layer(samples()), pca(samples()))
    assert layer.fitted


def test_shift_and_rows_learn() -> None:
    layer = ShiftFC(channels=8, dim=5)
    layer.fit(samples())
    assert {name for name, _ in layer.named_parameters()} == {"mean", "rows"}
    layer(samples())[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_gradients_are_those_of_the_formula() -> None:
    layer = ShiftFC(channels=8, dim=5).double()
    layer.fit(samples())
    vectors = samples()[:3].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (vectors, layer.mean, layer.rows))


def test_refuses_to_be_used_before_it_is_fitted() -> None:
    with pytest.raises(UserError, match="not fitted"):
        ShiftFC(channels=8, dim=5)(samples())
