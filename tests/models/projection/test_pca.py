"""PCA of region vectors against a decomposition of the data themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepret.errors import UserError
from deepret.models.principal import principal_rows
from deepret.models.projection.pca import PCA


def samples(count: int = 200, channels: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    spread = torch.linspace(2, 0.1, channels)
    return torch.rand(count, channels, generator=generator) * spread + 0.1


def slow_projection(train: Tensor, vectors: Tensor, dim: int, whitening: float) -> Tensor:
    """By the singular values of the centred data, vector by vector."""
    unit = torch.stack([v / v.norm() for v in train.double()])
    mean = unit.mean(0)
    _, singular, directions = torch.linalg.svd(unit - mean)
    variances = singular**2 / (len(train) - 1)
    codes = []
    for vector in vectors.double():
        centred = vector / vector.norm() - mean
        code = torch.stack([directions[i] @ centred * variances[i] ** (-whitening / 2) for i in range(dim)])
        codes.append(code / code.norm())
    return torch.stack(codes)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dim", [1, 5, 12])
def test_equals_the_slow_projection(whitening: float, dim: int) -> None:
    pca = PCA(channels=12, dim=dim, whitening=whitening)
    pca.fit(samples())
    vectors = samples()[:20] * 7
    found, wanted = pca(vectors).double(), slow_projection(samples(), vectors, dim, whitening)
    signs = (found * wanted).sum(0).sign()  # a component and its opposite are the same component
    assert torch.allclose(found * signs, wanted, atol=1e-5)


def test_without_the_last_normalisation_lengths_are_distances_from_the_mean() -> None:
    pca, plain = PCA(channels=12, dim=12, whitening=0, normalise=False), PCA(channels=12, dim=12, whitening=0)
    for each in (pca, plain):
        each.fit(samples())
    unit = torch.nn.functional.normalize(samples(), dim=1)
    assert torch.allclose(pca(samples()).norm(dim=1), (unit - unit.mean(0)).norm(dim=1), atol=1e-5)
    assert torch.allclose(torch.nn.functional.normalize(pca(samples()), dim=1), plain(samples()))


def test_whitening_gives_every_component_one_variance() -> None:
    unit = torch.nn.functional.normalize(samples().double(), dim=1)
    for whitening, power in [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]:
        mean, rows = principal_rows(samples(), 6, whitening)
        variances = ((unit - mean) @ rows.T).var(0)
        _, plain = principal_rows(samples(), 6, 0.0)
        assert torch.allclose(variances, ((unit - mean) @ plain.T).var(0) ** power, rtol=1e-6)


def test_fit_in_blocks_equals_fit_at_once() -> None:
    many = samples(9000, 4)
    mean, _ = principal_rows(many, 3, 0.5)
    assert torch.allclose(mean, torch.nn.functional.normalize(many.double(), dim=1).mean(0))


def test_the_same_vectors_give_the_same_rows() -> None:
    first, second = (principal_rows(samples()[order], 5, 0.5) for order in (range(200), range(199, -1, -1)))
    assert torch.allclose(first[1], second[1], atol=1e-8)
    assert (first[1].gather(1, first[1].abs().argmax(1, keepdim=True)) > 0).all()


def test_a_region_in_which_nothing_responds_stays_zero() -> None:
    projection = PCA(channels=6, dim=2)
    projection.fit(torch.rand(30, 6, generator=torch.Generator().manual_seed(0)))
    found = projection(torch.stack([torch.zeros(6), torch.ones(6)]))
    assert found.norm(dim=1).tolist() == [0, pytest.approx(1)]


def test_state_carries_the_fit() -> None:
    pca, copy = PCA(channels=12, dim=4), PCA(channels=12, dim=4)
    pca.fit(samples())
    copy.load_state_dict(pca.state_dict())
    assert torch.equal(copy(samples()), pca(samples()))
    assert not list(pca.parameters())


def test_refuses_to_be_used_before_it_is_fitted() -> None:
    with pytest.raises(UserError, match="not fitted"):
        PCA(channels=12, dim=4)(samples())


def test_refuses_more_dimensions_than_channels() -> None:
    with pytest.raises(UserError, match=r"projection.dim=13.*12 channels"):
        PCA(channels=12, dim=13)


def test_refuses_too_few_vectors() -> None:
    with pytest.raises(UserError, match=r"projection.dim=8.*gave 8"):
        PCA(channels=12, dim=8).fit(samples(8))
    PCA(channels=12, dim=8).fit(samples(9))


def test_refuses_vectors_that_do_not_differ_enough() -> None:
    with pytest.raises(UserError, match="differ in 3 directions"):
        PCA(channels=12, dim=8).fit(samples(4).repeat(10, 1))


def test_where_eigenvectors_do_not_converge_singular_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = torch.randn(60, 20, generator=torch.Generator().manual_seed(0))
    mean, rows = principal_rows(vectors, 8, 0.5)

    def gives_up(matrix: torch.Tensor) -> None:
        raise RuntimeError("linalg.eigh: The algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", gives_up)
    again, same = principal_rows(vectors, 8, 0.5)
    torch.testing.assert_close(again, mean)
    torch.testing.assert_close(same, rows)
