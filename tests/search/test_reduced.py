"""Codes of fewer dimensions against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.search.reduced import first_entries, reduce_codes


def photos(count: int, name: str = "train") -> list[Photo]:
    return [Photo(Path(f"{name}{i}.png")) for i in range(count)]


def describe(length: int = 20):
    """Codes that depend on a photograph's name alone."""

    def described(asked: list[Photo]) -> Tensor:
        rows = [np.random.default_rng(list(photo.path.name.encode())).random(length) + 0.2 for photo in asked]
        return torch.tensor(np.stack(rows) * np.linspace(3, 0.2, length), dtype=torch.float32)

    return described


def slow(train: np.ndarray, codes: np.ndarray, dims: int, whitening: float) -> np.ndarray:
    train, codes = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, codes))
    values, columns = np.linalg.eigh(np.cov(train.T))
    order = np.argsort(-values)[:dims]
    found = (codes - train.mean(0)) @ columns[:, order] / values[order] ** (whitening / 2)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dims", [1, 7, 20])
def test_equals_the_slow_reduction(dims: int, whitening: float) -> None:
    asked = photos(9, "other")
    found = reduce_codes(describe(), photos(60), dims, whitening)(asked)
    assert (found.shape, found.dtype) == ((9, dims), torch.float32)
    wanted = slow(describe()(photos(60)).double().numpy(), describe()(asked).double().numpy(), dims, whitening)
    assert np.allclose(found @ found.T, wanted @ wanted.T, atol=1e-6)


@pytest.mark.parametrize("whitening", [0.0, 1.0])
def test_codes_of_zero_stay_zero_and_nothing_is_learned_from_them(whitening: float) -> None:
    def some(asked: list[Photo]) -> Tensor:
        return describe()(asked) * torch.tensor([[not photo.path.name.startswith("flat")] for photo in asked])

    mixed = [*photos(60), *photos(20, "flat")]
    found = reduce_codes(some, mixed, 5, whitening)([*photos(2, "flat"), *photos(9, "x")])
    assert not found[:2].any()
    assert torch.equal(found[2:], reduce_codes(describe(), photos(60), 5, whitening)(photos(9, "x")))
    with pytest.raises(UserError, match=r"dims=5: .* the train split 5 images"):
        reduce_codes(some, [*photos(5), *photos(20, "flat")], 5)


def test_plain_is_the_default() -> None:
    one, two = (reduce_codes(describe(), photos(60), 5, *more)(photos(9, "x")) for more in ([], [0.0]))
    assert torch.equal(one, two)


def test_fisher_vectors_of_few_photographs_are_reduced() -> None:
    reduced = reduce_codes(describe(32_768), photos(40), 16, 1.0)
    found = reduced(photos(40))
    assert found.shape == (40, 16)
    train = describe(32_768)(photos(40)).double()
    unit = train / train.norm(dim=1, keepdim=True)
    left, _, _ = torch.linalg.svd(unit - unit.mean(0), full_matrices=False)
    wanted = torch.nn.functional.normalize(left[:, :16], dim=1).float()
    torch.testing.assert_close(found @ found.T, wanted @ wanted.T, rtol=0, atol=1e-5)


def test_first_entries_are_of_length_one() -> None:
    codes = describe()(photos(4)).double()
    found = first_entries(describe(), 7)(photos(4))
    assert torch.allclose(found.double(), codes[:, :7] / codes[:, :7].norm(dim=1, keepdim=True), atol=1e-6)
    with pytest.raises(UserError, match="dims=21: the codes have 20 dimensions"):
        first_entries(describe(), 21)(photos(4))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match=r"dims=21: the codes have 20 dimensions and the train split 60 images"):
        reduce_codes(describe(), photos(60), 21)
    with pytest.raises(UserError, match=r"dims=20: .* the train split 20 images"):
        reduce_codes(describe(), photos(20), 20)
    with pytest.raises(UserError, match=r"dims=8: the 30 codes .* differ in 2 directions only"):
        reduce_codes(describe(), photos(3) * 10, 8)
