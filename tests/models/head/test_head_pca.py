"""PCA of codes against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.errors import UserError
from deepret.models import principal
from deepret.models.head.pca import PCA
from deepret.models.types import Codes


def samples(count: int = 200, channels: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return (torch.rand(count, channels, generator=generator) * torch.linspace(2, 0.1, channels) + 0.1) * 7


def codes(vectors: Tensor) -> Codes:
    return Codes(vectors, torch.arange(len(vectors)))


def fitted(train: Tensor, **settings: float) -> PCA:
    head = PCA(train.shape[1], **{"dim": 5, **settings})  # type: ignore[arg-type]
    head.fit(train)
    return head


def slow(train: Tensor, vectors: Tensor, dim: int, whitening: float, shrinkage: float) -> np.ndarray:
    """Code by code."""
    unit = [v / np.linalg.norm(v) for v in train.double().numpy()]
    mean, covariance = np.mean(unit, axis=0), np.cov(np.stack(unit).T)
    values, columns = np.linalg.eigh(covariance)
    values = (1 - shrinkage) * values + shrinkage * values.mean()
    found = []
    for vector in vectors.double().numpy():
        centred = vector / np.linalg.norm(vector) - mean
        code = np.array([columns[:, -1 - i] @ centred / values[-1 - i] ** (whitening / 2) for i in range(dim)])
        found.append(code / np.linalg.norm(code))
    return np.stack(found)


@pytest.mark.parametrize("shrinkage", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dim", [1, 5, 12])
def test_equals_the_slow_head(dim: int, whitening: float, shrinkage: float) -> None:
    head = fitted(samples(), dim=dim, whitening=whitening, shrinkage=shrinkage)
    assert head.dim == dim
    found = head(codes(samples()[:20])).vectors.numpy()
    wanted = slow(samples(), samples()[:20], dim, whitening, shrinkage)
    signs = np.sign((found * wanted).sum(0))  # a component and its opposite are the same component
    assert np.allclose(found * signs, wanted, atol=2e-5)


def test_whitened_codes_have_no_covariance_left() -> None:
    head = fitted(samples(), dim=12, whitening=1.0)
    before_l2 = (F.normalize(samples().double(), dim=1) - head.mean.double()) @ head.rows.double().T
    torch.testing.assert_close(torch.cov(before_l2.T), torch.eye(12, dtype=torch.float64), rtol=0, atol=1e-4)


def test_all_shrunk_is_plain() -> None:
    plain = fitted(samples(), whitening=0.0)(codes(samples())).vectors
    torch.testing.assert_close(fitted(samples(), whitening=1.0, shrinkage=1.0)(codes(samples())).vectors, plain)
    assert not torch.allclose(fitted(samples(), whitening=1.0, shrinkage=0.1)(codes(samples())).vectors, plain)


def test_long_codes_of_few_photographs_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal, "covariance", None)
    train = torch.rand(20, 9000, generator=torch.Generator().manual_seed(0))
    head = fitted(train, dim=8, whitening=1.0)
    wanted = slow_by_svd(train, 8)
    found = head(codes(train)).vectors.double()
    torch.testing.assert_close(found * (found * wanted).sum(0).sign(), wanted, rtol=0, atol=1e-4)


def slow_by_svd(train: Tensor, dim: int) -> Tensor:
    unit = F.normalize(train.double(), dim=1)
    left, _, _ = torch.linalg.svd(unit - unit.mean(0), full_matrices=False)
    return F.normalize(left[:, :dim], dim=1)


def test_codes_of_zero_stay_zero_and_others_do_not_mind() -> None:
    head = fitted(samples())
    mixed = samples()[:3].clone()
    mixed[1] = 0
    found = head(codes(mixed)).vectors
    assert not found[1].any()
    assert torch.equal(found[[0, 2]], head(codes(samples()[[0, 2]])).vectors)
    mixed[1, 4] = float("nan")
    assert head(codes(mixed)).vectors[1].isnan().all()


def test_zero_codes_are_left_out_of_the_fit_and_told() -> None:
    mixed = torch.cat([samples(), torch.zeros(2, 12)])
    with pytest.warns(UserWarning, match="2 of the 202 codes that the head is fitted on are zero"):
        head = fitted(mixed)
    assert torch.equal(head.rows, fitted(samples()).rows)


def test_the_state_is_in_the_checkpoint_and_nothing_learns() -> None:
    head, copy = fitted(samples()), PCA(12, dim=5)
    copy.load_state_dict(head.state_dict())
    assert torch.equal(copy(codes(samples())).vectors, head(codes(samples())).vectors)
    assert not list(head.parameters())
    assert head.needs_fit


def test_codes_learn_through_it() -> None:
    head = fitted(samples()).double()
    vectors = samples()[:2].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head(codes(x)).vectors, vectors)


def test_mistakes_are_told_in_one_message() -> None:
    with pytest.raises(UserError, match=r"head.dim=13: the codes have 12 dimensions; take at most"):
        PCA(12, dim=13)
    with pytest.raises(UserError, match=r"not fitted yet.*head=l2"):
        PCA(12, dim=5)(codes(samples()))
    with pytest.raises(UserError, match=r"head.dim=5: it takes more than 5 codes .* gave 5"):
        fitted(samples(5))
    with pytest.raises(UserError, match=r"head.dim=5: the 40 codes .* differ in 3 directions"):
        fitted(samples(4).repeat(10, 1))
    wrong = samples()
    wrong[7, 2] = float("nan")
    with pytest.raises(UserError, match=r"head.dim: 1 of the 200 codes .* no numbers"):
        fitted(wrong)
