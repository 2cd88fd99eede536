"""Principal components against numpy, by either way to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from deepret.errors import UserError
from deepret.models import principal
from deepret.models.principal import components


def samples(count: int = 40, length: int = 90) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.rand(count, length, generator=generator) * torch.linspace(2, 0.1, length) + 0.1


def slow(vectors: Tensor, dim: int, whitening: float, shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and absolute rows, from numpy's covariance of vectors divided one by one."""
    unit = np.stack([v / np.linalg.norm(v) for v in vectors.double().numpy()])
    covariance = np.cov(unit.T)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    values, columns = np.linalg.eigh(shrunk)
    order = np.argsort(-values)[:dim]
    return unit.mean(0), np.abs(columns[:, order].T * values[order, None] ** (-whitening / 2))


@pytest.mark.parametrize("length", [30, 90])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_equals_numpy_s_covariance(
    monkeypatch: pytest.MonkeyPatch, length: int, whitening: float, shrinkage: float
) -> None:
    """Through the covariance of 40 vectors of 30 dimensions, and through the Gram matrix of 40 of 90."""
    monkeypatch.setattr(principal, "covariance" if length > 40 else "_by_gram", None)
    monkeypatch.setattr(principal, "blocks", lambda vectors: torch.split(vectors, 7))
    found = components(samples(length=length), 12, "dim", "codes")
    mean, rows = slow(samples(length=length), 12, whitening, shrinkage)
    assert np.allclose(found.mean.numpy(), mean, atol=1e-12)
    assert np.allclose(found.rows(whitening, shrinkage).abs().numpy(), rows, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(12, dtype=torch.float64))


def test_long_vectors_never_make_a_covariance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal, "covariance", None)  # it would be 8 GB
    vectors = torch.randn(30, 32768, generator=torch.Generator().manual_seed(0))
    found = components(vectors, 16, "dim", "codes")
    unit = torch.nn.functional.normalize(vectors.double(), dim=1)
    wanted = torch.linalg.svdvals(unit - unit.mean(0))[:16] ** 2 / 29
    torch.testing.assert_close(found.values, wanted)
    torch.testing.assert_close(((unit - found.mean) @ found.axes.T).var(0), wanted)


def test_too_few_and_too_equal_vectors_are_refused() -> None:
    with pytest.raises(UserError, match=r"dims=40: it takes more than 40 codes .* gave 40"):
        components(samples(), 40, "dims", "codes")
    with pytest.raises(UserError, match=r"dims=9: the 30 codes .* differ in 2 directions"):
        components(samples(3).repeat(10, 1), 9, "dims", "codes")
    with pytest.raises(UserError, match=r"dims=1: the 30 codes .* differ in 0 directions"):
        components(samples(1).repeat(30, 1), 1, "dims", "codes")
    with pytest.raises(UserError, match="differ in 0 directions"):
        components(torch.zeros(30, 90), 1, "dims", "codes")
    multiples = samples(1) * torch.linspace(0.1, 3, 30)[:, None]  # of one direction, but for rounding
    with pytest.raises(UserError, match="differ in 0 directions"):
        components(multiples, 1, "dims", "codes")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_is_counted(wrong: float) -> None:
    vectors = samples()
    vectors[[3, 8], 5] = wrong
    with pytest.raises(UserError, match=r"dims: 2 of the 40 codes .* are no numbers"):
        components(vectors, 4, "dims", "codes")


def test_a_matrix_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal, "LARGEST", 39)
    with pytest.raises(UserError, match=r"40 codes of 90 dimensions .* lower stages.fit_images"):
        components(samples(), 4, "dims", "codes")
    components(samples(39), 4, "dims", "codes")
