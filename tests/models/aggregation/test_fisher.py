"""Fisher vectors against plain loops, and against the gradient of the likelihood."""

from __future__ import annotations

from math import exp, pi, sqrt

import pytest
import torch
from local_features import DIM, code, fitted, regions, vectors, weights
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import mixture
from deepret.models.aggregation.fisher import Fisher, fisher_gradients, posteriors, signed_root


def slow_gradients(x: Tensor, alpha: Tensor, w: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    count, dim = mu.shape
    by_means, by_deviations = torch.zeros(count, dim).double(), torch.zeros(count, dim).double()
    for t in range(len(x)):
        densities = []
        for k in range(count):
            density = float(w[k])
            for d in range(dim):
                z = float(x[t, d] - mu[k, d]) / float(sigma[k, d])
                density *= exp(-z * z / 2) / (sqrt(2 * pi) * float(sigma[k, d]))
            densities.append(density)
        for k in range(count):
            gamma = densities[k] / sum(densities)
            for d in range(dim):
                z = float(x[t, d] - mu[k, d]) / float(sigma[k, d])
                by_means[k, d] += float(alpha[t]) * gamma * z / sqrt(w[k])
                by_deviations[k, d] += float(alpha[t]) * gamma * (z * z - 1) / sqrt(2 * w[k])
    return by_means / float(alpha.sum()), by_deviations / float(alpha.sum())


def slow_code(x: Tensor, alpha: Tensor, encoder: Fisher) -> Tensor:
    codes, length = [], DIM // encoder.parts
    for p in range(encoder.parts):
        part = x[:, p * length : (p + 1) * length]
        found = slow_gradients(part, alpha, encoder.shares[p], encoder.means[p], encoder.deviations[p])
        values = torch.tensor([abs(g) ** 0.5 * (1 if g > 0 else -1) for g in torch.cat(found).flatten().tolist()])
        codes.append(values / values.norm())
    return torch.cat(codes) / torch.cat(codes).norm()


@pytest.mark.parametrize("name", ["fisher", "fisher in parts"])
def test_equals_plain_loops(name: str) -> None:
    encoder, found, alpha = fitted(name), regions([11, 0, 4]), weights(15)
    assert isinstance(encoder, Fisher)
    assert found.vectors is not None
    codes = code(encoder, found, alpha, 3)
    assert codes.shape == (3, 2 * encoder.size * DIM)
    for image in (0, 2):
        own = found.image == image
        assert torch.allclose(codes[image], slow_code(found.vectors[own], alpha[own], encoder), atol=1e-5)


def test_is_the_gradient_of_the_likelihood_scaled() -> None:
    """∂ log p / ∂μ_k = Σ γ (x − μ)/σ², and ∂ log p / ∂σ_k = Σ γ ((x − μ)²/σ³ − 1/σ), each times σ/(T√w) or less √2."""
    w, mu, sigma = mixture(vectors(300), 3, 0.001, 0)
    x, means, deviations = vectors(20, 5).double(), mu.clone().requires_grad_(), sigma.clone().requires_grad_()
    normal = torch.distributions.Normal(means, deviations)
    likelihood = (w.log() + normal.log_prob(x[:, None]).sum(2)).logsumexp(1).sum()
    by_means, by_deviations = torch.autograd.grad(likelihood, [means, deviations])
    found = fisher_gradients(x, torch.ones(20), w, mu, sigma)
    scale = sigma / (20 * w.sqrt()[:, None])
    torch.testing.assert_close(found[0], scale * by_means)
    torch.testing.assert_close(found[1], scale * by_deviations / 2**0.5)


def test_is_zero_on_average_over_what_the_mixture_was_fitted_on() -> None:
    """EM ends where the likelihood has no gradient; what is left is the floor's and the last step's."""
    train = vectors(3000)
    found = fisher_gradients(train, torch.ones(3000), *mixture(train, 5, 1e-6, 0))
    assert found.abs().max() < 0.02
    assert fisher_gradients(train + 0.3, torch.ones(3000), *mixture(train, 5, 1e-6, 0)).abs().max() > 0.2


def test_posteriors_add_up_to_one_far_from_every_component() -> None:
    w, mu, sigma = mixture(vectors(300), 3, 0.001, 0)
    found = posteriors(1000 * vectors(50, 3).double(), w, mu, sigma)
    torch.testing.assert_close(found.sum(1), torch.ones(50).double())
    assert found.isfinite().all()


def test_narrow_components_lose_nothing_to_rounding() -> None:
    mu, sigma = torch.tensor([[1.0], [1.001]]), torch.full((2, 1), 1e-4)
    found = posteriors(
        torch.tensor([[1.0004], [1.0006]]).double(), torch.ones(2).double() / 2, mu.double(), sigma.double()
    )
    odds = torch.tensor([exp(10.0), exp(-10.0)]).double()  # ((6² − 4²) / 2) standard deviations
    assert torch.allclose(found[:, 0] / found[:, 1], odds, rtol=1e-2)


def test_the_mixture_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, generator=generator) * torch.tensor([0.1, 0.3])
    x[:1000] += 5
    w, mu, sigma = mixture(x, 2, 1e-6, 0)
    order = mu[:, 0].argsort()
    assert torch.allclose(w[order], torch.tensor([0.75, 0.25]).double(), atol=1e-6)
    assert torch.allclose(mu[order], torch.tensor([[0.0, 0], [5, 5]]).double(), atol=0.03)
    assert torch.allclose(sigma[order], torch.tensor([[0.1, 0.3]] * 2).double(), atol=0.02)


def test_no_variance_is_below_the_floor() -> None:
    x = vectors(200)
    x[:, 2] = 1.5  # one that does not vary
    for factor in (1.0, 1e-3, 1e3):  # whatever the scale
        sigma = mixture(factor * x, 4, 0.01, 0)[2]
        least = 0.01 * factor**2 * float(x.var(0, correction=0).mean())
        assert float(sigma.square().min()) == pytest.approx(least, rel=1e-4)


def test_the_root_keeps_the_sign_and_has_a_gradient_at_zero() -> None:
    x = torch.tensor([-4.0, -1e-10, 0.0, 1e-10, 0.25]).double().requires_grad_()
    found = signed_root(x)
    torch.testing.assert_close(found, torch.tensor([-2.0, -1e-5, 0.0, 1e-5, 0.5]).double())
    found.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad[[0, 4]], torch.tensor([0.25, 1.0]).double())
    assert x.grad.isfinite().all()


def test_parts_count_alike_and_each_for_itself() -> None:
    encoder, found = fitted("fisher in parts"), regions([9])
    assert found.vectors is not None
    whole = code(encoder, found)[0]
    assert whole.view(2, -1).norm(dim=1).tolist() == pytest.approx([0.5**0.5] * 2)
    changed = found.vectors.clone()
    changed[:, DIM // 2 :] *= 3
    other = code(encoder, found.with_vectors(changed))[0]
    assert torch.equal(other[: len(other) // 2], whole[: len(other) // 2])
    assert not torch.equal(other, whole)


def test_refuses_parts_of_unequal_length() -> None:
    with pytest.raises(UserError, match=r"aggregation.parts=4: .* 6 dimensions"):
        Fisher(DIM, parts=4)


def test_refuses_a_part_that_does_not_vary() -> None:
    found = vectors(100)
    found[:, DIM // 2 :] = 1
    with pytest.raises(UserError, match=r"aggregation.components=2: .* gave 1 \(100"):
        Fisher(DIM, components=2, parts=2).fit(found)
