"""Triangulation embedding against plain loops, and what whitening and democratic weights promise."""

from __future__ import annotations

import pytest
import torch
from local_features import DIM, code, regions, vectors, weights
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.triangulation import Triangulation, democratic


def encoder_of(train: Tensor, **settings: int) -> Triangulation:
    encoder = Triangulation(train.shape[1], **settings)
    encoder.fit(train)
    return encoder


def slow_directions(x: Tensor, centres: Tensor) -> Tensor:
    parts = []
    for c in centres.double():
        difference = x.double() - c
        parts.append(difference / difference.norm())
    return torch.cat(parts)


def slow_embedding(train: Tensor, x: Tensor, centres: Tensor, dropped: int) -> Tensor:
    """By the singular values of the centred data; the sign of each coordinate is open."""
    embedded = torch.stack([slow_directions(one, centres) for one in train])
    _, singular, axes = torch.linalg.svd(embedded - embedded.mean(0), full_matrices=False)
    rows = []
    for one in x:
        centred = slow_directions(one, centres) - embedded.mean(0)
        rows.append([float(axes[i] @ centred / singular[i]) * (len(train) - 1) ** 0.5 for i in range(len(singular))])
    return torch.tensor(rows)[:, dropped:]


def slow_weights(embedded: Tensor, rounds: int) -> Tensor:
    count = len(embedded)
    similar = [[max(0.0, float(embedded[t] @ embedded[j])) for j in range(count)] for t in range(count)]
    lambdas = [1.0] * count
    for _ in range(rounds):
        shares = [lambdas[t] * sum(lambdas[j] * similar[t][j] for j in range(count)) for t in range(count)]
        lambdas = [own / share**0.5 for own, share in zip(lambdas, shares, strict=True)]
    return torch.tensor(lambdas)


@pytest.mark.parametrize("rounds", [0, 10])
@pytest.mark.parametrize(("centres", "dropped"), [(1, 0), (3, 6), (2, 1)])
def test_equals_plain_loops(rounds: int, centres: int, dropped: int) -> None:
    train, found, alpha = vectors(300), regions([11, 0, 4]), weights(15)
    encoder = encoder_of(train, centres=centres, dropped=dropped, rounds=rounds)
    assert found.vectors is not None
    codes = code(encoder, found, alpha, 3)
    assert codes.shape == (3, centres * DIM - dropped)
    for image in (0, 2):
        own = found.image == image
        embedded = slow_embedding(train, found.vectors[own], encoder.centres, dropped)
        slow = torch.zeros(encoder.dim)
        for t, weight in enumerate(slow_weights(embedded, rounds)):
            slow += alpha[own][t] * weight * embedded[t]
        signs = (codes[image] * slow).sign()
        assert torch.allclose(codes[image].abs(), slow.abs(), rtol=1e-3, atol=1e-3 * float(slow.norm()))
        if image == 0:
            first_signs = signs
        else:
            large = slow.abs() > 1e-2 * slow.norm()
            assert torch.equal(signs[large], first_signs[large])


def test_embeddings_of_the_training_set_are_white() -> None:
    train = vectors(400)
    encoder = encoder_of(train, centres=3, rounds=0)
    embedded = (encoder.directions(train) - encoder.mean) @ encoder.rows.T
    assert encoder.dim == 2 * DIM
    assert torch.allclose(embedded.mean(0), torch.zeros(encoder.dim), atol=1e-4)
    assert torch.allclose(embedded.T.cov(), torch.eye(encoder.dim), atol=1e-3)


def test_what_is_dropped_are_the_directions_that_vary_most() -> None:
    train = vectors(400)
    embedded = encoder_of(train, centres=3).directions(train).double()
    values, axes = torch.linalg.eigh(embedded.T.cov())
    rows = encoder_of(train, centres=3).rows.double()
    kept = torch.linalg.qr(rows.T)[0]
    first, last = axes[:, values.argsort(descending=True)[:DIM]], axes[:, values.argsort()[: 2 * DIM]]
    assert (kept.T @ first).abs().max() < 1e-4
    assert torch.linalg.svdvals(kept.T @ last).min() > 0.999
    whole = encoder_of(train, centres=3, dropped=0).rows
    assert torch.equal(whole[DIM:], encoder_of(train, centres=3).rows)


def test_one_centre_drops_nothing_unless_told() -> None:
    assert Triangulation(DIM, centres=1).dim == DIM
    assert Triangulation(DIM, centres=1, dropped=2).dim == DIM - 2
    assert Triangulation(128, centres=64).dim == 8064
    assert Triangulation(DIM, centres=4, dropped=0).dim == 4 * DIM


@pytest.mark.parametrize("count", [1, 2, 30])
def test_democratic_weights_let_every_feature_count_alike(count: int) -> None:
    """λ_t φ_tᵀ Σ_j λ_j φ_j = 1, exactly where no two features are opposed."""
    alike = vectors(count).abs() + 0.1
    found = democratic(alike.double(), 60)
    shares = found * (alike.double() @ (found[:, None] * alike).sum(0))
    torch.testing.assert_close(shares, torch.ones(count).double())
    found = democratic(alike.double(), 10)
    shares = found * (alike.double() @ (found[:, None] * alike).sum(0))
    assert (shares - 1).abs().max() < 0.01


def test_ten_rounds_come_near_for_embeddings_of_an_image() -> None:
    encoder, found = encoder_of(vectors(300), centres=3), regions([40])
    assert found.vectors is not None
    embedded = (encoder.directions(found.vectors) - encoder.mean) @ encoder.rows.T
    kernel = (embedded @ embedded.T).clamp_min(0)

    def apart(own: Tensor) -> float:
        return float((own * (kernel @ own) - 1).abs().max())

    assert apart(democratic(embedded, 10)) < 0.02
    assert apart(torch.ones(40)) > 1


def test_a_burst_counts_as_much_as_a_single_feature_does() -> None:
    single = torch.eye(3).double()
    burst = torch.cat([single, single[:1].repeat(20, 1)])
    summed = (democratic(burst, 30)[:, None] * burst).sum(0)
    assert float(summed[0] / summed[1]) == pytest.approx(21**0.5, rel=1e-3)  # a plain sum: 21 times


def test_a_feature_at_a_centre_has_no_direction_from_it() -> None:
    encoder = encoder_of(vectors(300), centres=3)
    found = encoder.directions(encoder.centres[1:2])
    assert not found[0, DIM : 2 * DIM].any()
    assert found.isfinite().all()
    near = encoder.directions(encoder.centres[1:2] * (1 + 3e-8))  # rounding
    assert torch.allclose(near, found, atol=1e-5)


def test_features_that_are_zero_are_weighed_as_they_are() -> None:
    assert democratic(torch.zeros(3, 4), 10).tolist() == [1, 1, 1]


def test_refuses_to_drop_everything() -> None:
    with pytest.raises(UserError, match=r"aggregation.dropped=18: 3 centres and 6 dimensions make 18"):
        Triangulation(DIM, centres=3, dropped=18)
    with pytest.raises(UserError, match="make 6"):
        Triangulation(DIM, centres=1, dropped=6)


def test_refuses_what_is_too_long_to_whiten() -> None:
    with pytest.raises(UserError, match=r"aggregation.centres=16: .* 1,280 dimensions .* 20,480"):
        Triangulation(1280, centres=16)


def test_refuses_too_few_vectors_to_whiten() -> None:
    with pytest.raises(UserError, match=r"aggregation.centres=3: .* more than 18 .* there are 18"):
        Triangulation(DIM, centres=3).fit(vectors(18))
    Triangulation(DIM, centres=3).fit(vectors(60))
    with pytest.raises(UserError, match=r"aggregation\.samples"):
        Triangulation(DIM, centres=3, samples=18).fit(vectors(60))


def test_refuses_vectors_of_fewer_directions() -> None:
    flat = vectors(200)
    flat[:, 3:] = 0
    with pytest.raises(UserError, match=r"differ in \d of 12 dimensions only"):
        Triangulation(DIM, centres=2).fit(flat)
