"""What holds for every encoder of local features."""

from __future__ import annotations

import pytest
import torch
from local_features import DIM, ENCODERS, code, fitted, of_image, regions, vectors, weights
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import centres, repeatable
from deepret.models.aggregation.encoder import Encoder
from deepret.models.build import load_state
from deepret.models.types import Regions

every = pytest.mark.parametrize("name", ENCODERS)
COUNTS = [9, 0, 14, 1]


@every
def test_gives_one_code_an_image_and_zero_where_there_is_nothing(name: str) -> None:
    encoder, found = fitted(name), regions(COUNTS)
    codes = encoder(found, weights(24), 5)  # the last image has no regions either
    assert codes.image.tolist() == [0, 1, 2, 3, 4]
    assert codes.vectors.shape == (5, encoder.dim)
    assert codes.vectors.dtype == torch.float32
    assert (codes.vectors.abs().sum(1) > 0).tolist() == [True, False, True, True, False]


@every
def test_nothing_at_all_gives_zero_codes(name: str) -> None:
    assert not code(fitted(name), regions([0, 0]), batch=2).any()


@every
def test_two_images_of_a_batch_are_each_as_alone(name: str) -> None:
    encoder, found, own = fitted(name), regions(COUNTS), weights(24)
    together = code(encoder, found, own, 4)
    for image in range(4):
        alone = code(encoder, of_image(found, image), own[found.image == image])
        assert torch.allclose(together[image], alone[0], rtol=1e-5, atol=1e-6)


@every
def test_the_order_of_the_features_does_not_count(name: str) -> None:
    encoder, found, own = fitted(name), regions([30]), weights(30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert found.vectors is not None
    other = Regions(found.boxes[order], found.image, found.vectors[order])
    assert torch.allclose(code(encoder, found, own), code(encoder, other, own[order]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["fisher", "fisher in parts", "vlad", "triangulation, one centre", "sparse, sums"])
def test_a_weight_of_two_is_the_feature_twice(name: str) -> None:
    encoder, found = fitted(name), regions([8])
    assert found.vectors is not None
    twice = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 3])
    other = Regions(found.boxes[twice], torch.zeros(9, dtype=torch.int64), found.vectors[twice])
    heavy = torch.tensor([1.0, 1, 1, 2, 1, 1, 1, 1])
    assert torch.allclose(code(encoder, found, heavy), code(encoder, other), atol=1e-5)
    assert not torch.allclose(code(encoder, found, heavy), code(encoder, found), atol=1e-3)


@every
def test_a_weight_of_zero_takes_a_feature_out(name: str) -> None:
    if name == "triangulation":
        pytest.skip("democratic weights look at all features")
    encoder, found = fitted(name), regions([8])
    assert found.vectors is not None
    found.boxes[7] = torch.tensor([5, 5, 6, 6])  # inside: the extent stays
    first = Regions(found.boxes[:7], found.image[:7], found.vectors[:7])
    own = torch.tensor([1.0] * 7 + [0])
    assert torch.allclose(code(encoder, found, own), code(encoder, first), atol=1e-5)


@pytest.mark.slow
@every
def test_the_same_vectors_and_seed_give_the_same_state_to_the_last_bit(name: str) -> None:
    states = []
    for start in range(3):
        torch.manual_seed(start)
        encoder = ENCODERS[name](seed=7)
        encoder.fit(vectors(3000), torch.arange(3000))
        states.append(encoder.state_dict())
    for state in states[1:]:
        assert all(torch.equal(state[key], states[0][key]) for key in states[0])
    other = ENCODERS[name](seed=8)
    other.fit(vectors(3000))
    assert name == "triangulation, one centre" or any(
        not torch.equal(v, states[0][k]) for k, v in other.state_dict().items()
    )


@pytest.mark.slow
def test_several_threads_are_left_as_they_were_and_change_nothing() -> None:
    """On several threads scikit-learn's k-means would sum in another order each time."""
    before = torch.get_num_threads()
    found = vectors(20_000, dim=16)
    try:
        torch.set_num_threads(2)
        first = centres(found, 32, 0)
        assert torch.get_num_threads() == 2
        with repeatable():
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert all(torch.equal(centres(found, 32, 0), first) for _ in range(3))
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(
        first,
        torch.from_numpy(
            KMeans(32, n_init=1, max_iter=100, random_state=0).fit(found.double().numpy()).cluster_centers_
        ),
    )


@every
def test_fits_on_at_most_so_many_vectors(name: str) -> None:
    many = vectors(2000)
    encoder = ENCODERS[name](samples=100)
    sample = encoder.drawn(many)
    assert sample.shape == (100, DIM)
    rows = [int((many == row).all(1).nonzero()) for row in sample]
    assert rows == sorted(set(rows))
    assert max(rows) > 1800
    assert not torch.equal(ENCODERS[name](samples=100, seed=1).drawn(many), sample)
    encoder.fit(many)
    same = ENCODERS[name](samples=5000)
    same.fit(sample)
    assert all(torch.equal(v, encoder.state_dict()[k]) for k, v in same.state_dict().items())


@every
def test_state_carries_the_fit(name: str) -> None:
    encoder, copy = fitted(name), ENCODERS[name]()
    copy.load_state_dict(encoder.state_dict())
    assert torch.equal(code(copy, regions([9])), code(encoder, regions([9])))
    assert not list(encoder.parameters())


@every
def test_gradients_are_those_of_small_differences(name: str) -> None:
    encoder, found = fitted(name).double(), regions([5, 4])
    assert found.vectors is not None
    inputs = found.vectors.double().requires_grad_(), weights(9).double().requires_grad_()

    def codes(x: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        return encoder(found.with_vectors(x), own, 2).vectors

    assert torch.autograd.gradcheck(codes, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


@every
def test_the_gradient_is_finite_where_there_is_next_to_nothing(name: str) -> None:
    encoder = fitted(name)
    for found in (regions([1, 0]), regions([3]).with_vectors(torch.zeros(3, DIM))):
        assert found.vectors is not None
        found.vectors.requires_grad_()
        code(encoder, found, batch=2).square().sum().backward()
        assert found.vectors.grad is not None
        assert found.vectors.grad.isfinite().all()


@every
def test_refuses_to_be_used_before_it_is_fitted(name: str) -> None:
    with pytest.raises(UserError, match=r"aggregation is not fitted yet.*aggregation=sum"):
        code(ENCODERS[name](), regions([3]))


@every
def test_refuses_a_weight_for_each_channel(name: str) -> None:
    with pytest.raises(UserError, match="weighting=uniform"):
        fitted(name)(regions([3]), torch.ones(3, DIM), 1)


@every
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_refuses_what_is_no_number(name: str, bad: float) -> None:
    found = vectors(100)
    found[[3, 7], 2] = bad
    encoder = ENCODERS[name]()
    with pytest.raises(UserError, match=rf"{encoder.setting}: 2 of 100 vectors"):
        encoder.fit(found)
    with pytest.raises(UserError, match="2 of 100 vectors"):  # whether they are drawn or not
        ENCODERS[name](samples=50).fit(found)
    assert not encoder.fitted


@every
def test_refuses_too_few_different_vectors(name: str) -> None:
    encoder: Encoder = ENCODERS[name]()
    least = max(2, encoder.size)
    for found, there in ((torch.ones(50, DIM), 1), (vectors(least - 1), least - 1), (torch.empty(0, DIM), 0)):
        with pytest.raises(UserError, match=rf"{encoder.setting}: .* {least} different .* gave {there} \({len(found)}"):
            encoder.fit(found)


@pytest.mark.parametrize("name", ["fisher", "vlad", "triangulation", "sparse"])
def test_a_state_of_other_dimensions_is_told_by_name(name: str) -> None:
    class Whole(torch.nn.Module):
        def __init__(self, encoder: Encoder) -> None:
            super().__init__()
            self.aggregation = encoder

    other = {"fisher": "components", "vlad": "centres", "triangulation": "centres", "sparse": "atoms"}[name]
    smaller = type(fitted(name))(DIM, **{other: 5})
    with pytest.raises(
        UserError, match=r"x.ckpt: .*aggregation\.\w+ is \(.*\) there and \(.*\) here.*Leave .*aggregation"
    ):
        load_state(Whole(smaller), Whole(fitted(name)).state_dict(), "x.ckpt")  # type: ignore[arg-type]
