"""VLAD against plain loops, and as the limit of the Fisher vector."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from local_features import DIM, ENCODERS, code, fitted, regions, vectors, weights
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.fisher import fisher_gradients
from deepret.models.aggregation.vlad import VLAD, nearest
from deepret.models.types import Regions


def slow_nearest(x: Tensor, centres: Tensor) -> int:
    distances = [float((x.double() - c.double()).norm()) for c in centres]
    return distances.index(min(distances))


def slow_code(x: Tensor, alpha: Tensor, centres: Tensor, means: Tensor, intra: bool) -> Tensor:
    sums = [torch.zeros(x.shape[1]).double() for _ in centres]
    for t in range(len(x)):
        k = slow_nearest(x[t], centres)
        sums[k] += float(alpha[t]) * (x[t] - means[k]).double()
    if intra:
        sums = [s / s.norm() if s.norm() > 0 else s for s in sums]
    found = torch.cat(sums)
    return (found / found.norm()).float()


@pytest.mark.parametrize("intra", [True, False])
@pytest.mark.parametrize("adapted", [True, False])
def test_equals_plain_loops(intra: bool, adapted: bool) -> None:
    encoder, found, alpha = fitted("vlad", intra=intra), regions([11, 0, 2]), weights(13)
    assert isinstance(encoder, VLAD)
    assert found.vectors is not None
    if adapted:
        encoder.adapt(vectors(50, 8) + 0.2)
    codes = code(encoder, found, alpha, 3)
    assert codes.shape == (3, 4 * DIM)
    for image in (0, 2):
        own = found.image == image
        slow = slow_code(found.vectors[own], alpha[own], encoder.centres, encoder.means, intra)
        assert torch.allclose(codes[image], slow, atol=1e-5)


def test_is_the_limit_of_the_fisher_vector_of_equal_small_variances() -> None:
    """γ becomes 1 at the nearest mean, and G_μk = Σ (x − μ_k) / (T σ √w)."""
    encoder, found = fitted("vlad", intra=False), regions([25])
    assert isinstance(encoder, VLAD)
    assert found.vectors is not None
    previous = None
    for deviation in (1.0, 0.3, 0.01):
        wide = torch.full_like(encoder.centres, deviation)
        by_means = fisher_gradients(found.vectors, torch.ones(25), torch.full((4,), 0.25), encoder.centres, wide)[0]
        apart = float((F.normalize(by_means.flatten(), dim=0) - code(encoder, found)[0]).norm())
        assert previous is None or apart < previous
        previous = apart
    assert previous is not None
    assert previous < 1e-5


def test_adapted_means_are_those_of_the_other_set_and_assignments_stay() -> None:
    encoder, target = fitted("vlad"), vectors(500, 3) + 0.5
    assert isinstance(encoder, VLAD)
    before = encoder.centres.clone()
    encoder.adapt(target)
    assert torch.equal(encoder.centres, before)
    cells = [slow_nearest(x, before) for x in target]
    for k in range(4):
        own = target[[t for t, cell in enumerate(cells) if cell == k]]
        assert torch.allclose(encoder.means[k], own.mean(0), atol=1e-5)
    state = encoder.state_dict()
    encoder.adapt(vectors(80, 4))
    encoder.adapt(target)  # from the centres each time, so the last set alone counts
    assert all(torch.equal(v, state[k]) for k, v in encoder.state_dict().items())


def test_a_set_that_encodes_itself_has_no_residuals_once_adapted() -> None:
    encoder, found = fitted("vlad", intra=False), regions([40])
    assert isinstance(encoder, VLAD)
    assert found.vectors is not None
    encoder.adapt(found.vectors)
    own = nearest(found.vectors, encoder.centres)
    residuals = torch.zeros(4, DIM).index_add(0, own, found.vectors - encoder.means[own])
    assert residuals.abs().max() < 1e-5


def test_a_centre_without_vectors_stays() -> None:
    encoder = fitted("vlad")
    assert isinstance(encoder, VLAD)
    encoder.adapt(encoder.centres[2:3] + 0.01)
    assert torch.equal(encoder.means[[0, 1, 3]], encoder.centres[[0, 1, 3]])
    assert torch.allclose(encoder.means[2], encoder.centres[2] + 0.01)


def test_what_is_rounded_at_a_centre_counts_for_nothing() -> None:
    encoder, found = fitted("vlad"), vectors(30)
    assert isinstance(encoder, VLAD)
    found, whole = found[nearest(found, encoder.centres) != 0], []
    for seed in range(2):
        noise = 1 + 6e-8 * torch.randn(37, DIM, generator=torch.Generator().manual_seed(seed))
        at = torch.cat([encoder.centres[:1] * noise, found])
        boxes, image = torch.tensor([[0, 0, 1, 1]]).repeat(len(at), 1), torch.zeros(len(at), dtype=torch.int64)
        whole.append(code(encoder, Regions(boxes, image, at))[0])
    assert torch.allclose(*whole, atol=0.05)
    assert whole[0][:DIM].norm() < 0.05


def test_a_set_to_adapt_to_without_vectors_or_with_what_is_no_number_is_refused() -> None:
    encoder = ENCODERS["vlad"](adapt="query")
    encoder.fit(vectors(300))
    wrong = vectors(9)
    wrong[4, 1] = float("nan")
    for found, message in ((wrong, "1 of the 9 vectors"), (wrong[:0], "0 of the 0 vectors")):
        with pytest.raises(UserError, match=f"aggregation.adapt=query: {message}"):
            encoder.adapt(found)
    assert torch.equal(encoder.means, encoder.centres)


def test_intra_normalisation_lets_no_burst_drown_the_others() -> None:
    found = regions([12])
    assert found.vectors is not None
    burst = torch.ones(12)
    burst[3] = 1000
    plain, intra = fitted("vlad", intra=False), fitted("vlad")
    assert code(plain, found, burst).view(4, DIM).norm(dim=1).max() > 0.99
    lengths = code(intra, found, burst).view(4, DIM).norm(dim=1)
    assert torch.allclose(lengths[lengths > 0], lengths.max())


def test_the_nearest_of_centres_next_to_each_other_is_found_far_from_zero() -> None:
    places = torch.tensor([[1000.0, 0], [1000.01, 0], [1000.02, 0]]).repeat(20, 1)[:30]
    x = torch.tensor([[1000.011, 0.0]]).repeat(40, 1)
    assert set(nearest(x, places).tolist()) == {1}
