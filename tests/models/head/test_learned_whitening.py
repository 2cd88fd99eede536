"""Learned whitening against pairs that are listed one by one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepret.errors import UserError
from deepret.models import principal
from deepret.models.head import learned_whitening
from deepret.models.head.learned_whitening import LearnedWhitening, over_pairs
from deepret.models.head.pca import PCA
from deepret.models.types import Codes

LABELS = torch.tensor([3, 3, 0, -1, 0, 0, 5, -1, 3, 7, 0, 3] * 6)
LABELS[6] = 11  # alone


def samples(labels: Tensor = LABELS, channels: int = 8, seed: int = 2) -> Tensor:
    """Codes that lie about a centre of their class, farther in some directions than in others."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(20, channels, generator=generator) + 0.2
    noise = torch.randn(len(labels), channels, generator=generator) * torch.linspace(0.3, 0.02, channels)
    return (centres[labels] + noise).float() * 3


def codes(vectors: Tensor) -> Codes:
    return Codes(vectors, torch.arange(len(vectors)))


def fitted(vectors: Tensor, labels: Tensor | None = LABELS, **settings: float) -> LearnedWhitening:
    head = LearnedWhitening(vectors.shape[1], **{"dim": 4, **settings})  # type: ignore[arg-type]
    head.fit(vectors, labels)
    return head


def listed(vectors: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray, int]:
    """m and S, pair by pair."""
    unit = [v / np.linalg.norm(v) for v in vectors.double().numpy()]
    pairs = [(q, p) for q, p in permutations(range(len(unit)), 2) if labels[q] == labels[p] != -1]
    mean = np.mean([unit[q] for q, _ in pairs], axis=0)
    return mean, np.mean([np.outer(unit[q] - unit[p], unit[q] - unit[p]) for q, p in pairs], axis=0), len(pairs)


def slow(train: Tensor, labels: Tensor, vectors: Tensor, dim: int, shrinkage: float) -> np.ndarray:
    """By Cholesky's factor, as published, code by code."""
    mean, scatter, _ = listed(train, labels)
    size = len(scatter)
    scatter = (1 - shrinkage) * scatter + shrinkage * np.trace(scatter) / size * np.eye(size)
    first = np.linalg.inv(np.linalg.cholesky(scatter))
    unit = np.stack([v / np.linalg.norm(v) for v in train.double().numpy()])
    values, columns = np.linalg.eigh(np.cov(first @ (unit - mean).T))
    rows = columns[:, np.argsort(-values)[:dim]].T @ first
    found = [rows @ (v / np.linalg.norm(v) - mean) for v in vectors.double().numpy()]
    return np.stack([v / np.linalg.norm(v) for v in found])


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dim", [1, 4, 8])
def test_equals_the_published_head(dim: int, shrinkage: float) -> None:
    found = fitted(samples(), dim=dim, shrinkage=shrinkage)(codes(samples()[:9])).vectors.numpy()
    wanted = slow(samples(), LABELS, samples()[:9], dim, shrinkage)
    assert np.allclose(found * np.sign((found * wanted).sum(0)), wanted, atol=2e-5)


@given(
    st.lists(st.integers(-1, 4), min_size=2, max_size=40).filter(lambda x: any(x.count(i) > 1 for i in set(x) - {-1})),
    st.integers(1, 9),
)
def test_sums_over_pairs_are_those_of_pairs_that_are_listed(labels: list[int], block: int) -> None:
    given_labels = torch.tensor(labels)
    vectors = samples(given_labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned_whitening, "blocks", lambda x: torch.split(x, block))
        mean, scatter, pairs = over_pairs(vectors, given_labels, F.normalize(vectors.double(), dim=1).mean(0))
    wanted = listed(vectors, given_labels)
    assert np.allclose(mean.numpy(), wanted[0], atol=1e-12)
    assert np.allclose(scatter.numpy(), wanted[1], atol=1e-12)
    assert 2 * pairs == wanted[2]


def test_what_differs_within_classes_is_white() -> None:
    head = fitted(samples(), dim=8, shrinkage=0.0)
    _, scatter, _ = listed(samples(), LABELS)
    rows = head.rows.double().numpy()
    assert np.allclose(rows @ scatter @ rows.T, np.eye(8), atol=1e-4)


def test_all_shrunk_is_a_plain_pca_about_the_queries_mean() -> None:
    head = fitted(samples(), dim=4, shrinkage=1.0)
    plain = PCA(8, dim=4, whitening=0.0)
    plain.fit(samples())
    torch.testing.assert_close(F.normalize(head.rows, dim=1), plain.rows, rtol=0, atol=1e-5)


def test_what_differs_within_classes_no_longer_hides_what_differs_between_them() -> None:
    """Light changes codes more than things do."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40).repeat_interleave(6)
    things = torch.randn(40, 6, generator=generator).repeat_interleave(6, 0)
    light = 8 * torch.randn(240, 2, generator=generator)
    vectors = 10 + torch.cat([things, light, torch.zeros(240, 4)], 1) + 0.1 * torch.randn(240, 12, generator=generator)
    fit, new = labels < 20, labels >= 20

    def found(vectors: Tensor) -> float:
        similar = vectors @ vectors.T - 2 * torch.eye(len(vectors))
        return float((labels[new][similar.argmax(1)] == labels[new]).float().mean())

    plain = PCA(12, dim=6, whitening=0.0)
    plain.fit(vectors[fit])
    learned = fitted(vectors[fit], labels[fit], dim=6, shrinkage=0.001)
    assert found(plain(codes(vectors[new])).vectors) < 0.6
    assert found(learned(codes(vectors[new])).vectors) > 0.95


def test_a_class_of_thousands_takes_no_longer_than_its_codes() -> None:
    labels = torch.zeros(20_000, dtype=torch.int64)  # 200 million pairs
    vectors = samples(labels, channels=4)
    centre = principal.mean_of(vectors, "head", "codes")
    mean, scatter, pairs = over_pairs(vectors, labels, centre)
    torch.testing.assert_close(mean, centre)
    torch.testing.assert_close(scatter, 2 * principal.covariance(vectors, centre))
    assert pairs == 20_000 * 19_999 // 2


def test_zero_codes_are_left_out_with_their_labels() -> None:
    vectors, labels = samples(), LABELS
    mixed, more = torch.cat([torch.zeros(2, 8), vectors]), torch.cat([torch.tensor([3, 0]), labels])
    with pytest.warns(UserWarning, match="2 of the 74 codes"):
        head = fitted(mixed, more)
    assert torch.equal(head.rows, fitted(vectors).rows)
    assert not head(codes(mixed)).vectors[:2].any()


def test_the_state_is_in_the_checkpoint() -> None:
    head, copy = fitted(samples()), LearnedWhitening(8, dim=4)
    copy.load_state_dict(head.state_dict())
    assert torch.equal(copy(codes(samples())).vectors, head(codes(samples())).vectors)
    assert torch.equal(fitted(samples()).rows, head.rows)


ALONE = torch.arange(72)


def test_mistakes_are_told_in_one_message() -> None:
    for labels in (ALONE, torch.full((72,), -1), None):
        with pytest.raises(UserError, match=r"no two of the 72 codes .* no positive pairs.*head=pca"):
            fitted(samples(), labels)
    with pytest.raises(UserError, match="no two of the 0 codes"):
        fitted(torch.empty(0, 8), torch.empty(0, dtype=torch.int64))
    few = torch.where(torch.arange(72) < 3, 1, -1)
    with pytest.raises(UserError, match=r"head.shrinkage=0: the 3 positive pairs differ in 2 of the codes' 8 direct"):
        fitted(samples(), few, shrinkage=0.0)
    assert fitted(samples(), few, shrinkage=0.1).fitted
    with pytest.raises(UserError, match=r"the 72 codes that learned whitening is fitted on are all alike"):
        fitted(samples()[:1].repeat(72, 1), torch.arange(72) % 9)
    with pytest.raises(UserError, match=r"the 36 positive pairs differ in 0 of the codes' 8"):
        fitted(samples()[:36].repeat_interleave(2, 0), torch.arange(36).repeat_interleave(2), shrinkage=0.1)
    with pytest.raises(UserError, match=r"head.dim=4: the 3 codes .* differ in 2 directions"):
        fitted(samples()[:3], torch.zeros(3, dtype=torch.int64))
    wrong = samples()
    wrong[0, 0] = float("inf")
    with pytest.raises(UserError, match=r"head: 1 of the 72 codes .* no numbers"):
        fitted(wrong)
    with pytest.raises(UserError, match="not fitted yet"):
        LearnedWhitening(8, dim=4)(codes(samples()))
    with pytest.raises(UserError, match=r"head.dim=9"):
        LearnedWhitening(8, dim=9)
    with pytest.raises(UserError, match=r"10,000 dimensions at most, and these have 32,768"):
        LearnedWhitening(32_768)
