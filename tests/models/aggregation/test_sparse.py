"""Sparse coding against scikit-learn's matching pursuit and a pyramid in plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from local_features import DIM, code, fitted, regions, vectors, weights
from sklearn.linear_model import orthogonal_mp
from torch import Tensor

from deepret.errors import UserError
from deepret.models.aggregation.codebooks import dictionary
from deepret.models.aggregation.sparse import Sparse, pursuit, quarters
from deepret.models.types import Regions


def atoms_of(count: int, dim: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)).double(), dim=1)


def slow_quarter(box: list[int], boxes: list[list[int]]) -> int:
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    left, right = min(b[0] for b in boxes), max(b[2] for b in boxes)
    top, bottom = min(b[1] for b in boxes), max(b[3] for b in boxes)
    return (middle[0] >= (left + right) / 2) + 2 * (middle[1] >= (top + bottom) / 2)


def slow_code(found: Regions, alpha: Tensor, image: int, encoder: Sparse) -> Tensor:
    assert found.vectors is not None
    rows = [r for r in range(len(found.image)) if found.image[r] == image]
    boxes = [found.boxes[r].tolist() for r in rows]
    pooled = np.zeros((5, encoder.size))
    for r, box in zip(rows, boxes, strict=True):
        z = orthogonal_mp(
            encoder.atoms.double().numpy().T, found.vectors[r].double().numpy(), n_nonzero_coefs=encoder.nonzeros
        )
        for cell in (0, 1 + slow_quarter(box, boxes)):
            for k in range(encoder.size):
                value = float(alpha[r]) * abs(z[k])
                pooled[cell, k] = max(pooled[cell, k], value) if encoder.pooling == "max" else pooled[cell, k] + value
    return torch.from_numpy(pooled.flatten() / np.linalg.norm(pooled)).float()


@pytest.mark.parametrize("name", ["sparse", "sparse, sums"])
def test_equals_plain_loops(name: str) -> None:
    encoder, found, alpha = fitted(name), regions([11, 0, 4]), weights(15)
    assert isinstance(encoder, Sparse)
    codes = code(encoder, found, alpha, 3)
    assert codes.shape == (3, 5 * 8)
    for image in (0, 2):
        assert torch.allclose(codes[image], slow_code(found, alpha, image, encoder), atol=1e-5)


@pytest.mark.parametrize("nonzeros", [1, 2, 5, 12])
@pytest.mark.parametrize(("count", "dim"), [(20, 12), (40, 16), (64, 64)])
def test_pursuit_equals_that_of_scikit_learn(nonzeros: int, count: int, dim: int) -> None:
    atoms, x = atoms_of(count, dim), torch.randn(60, dim, generator=torch.Generator().manual_seed(4)).double()
    found = pursuit(x, atoms, nonzeros)
    wanted = orthogonal_mp(atoms.numpy().T, x.numpy().T, n_nonzero_coefs=nonzeros).T
    assert ((found != 0).sum(1) == nonzeros).all()
    assert np.allclose(found.numpy(), wanted, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_vector_that_is_explained_takes_no_more(scale: float) -> None:
    atoms = torch.eye(6).double()
    x = scale * torch.tensor([[0, 0, 3, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1, -2, 0, 0, 0, 0.5]]).double()
    assert torch.equal(pursuit(x, atoms, 5), x)


def test_the_same_atom_twice_is_taken_once() -> None:
    atoms = atoms_of(6, 10)
    twice = torch.cat([atoms, atoms[:3]])
    x = 2 * atoms[:1] + 3 * atoms[4:5]
    found = pursuit(x, twice, 5)
    torch.testing.assert_close(found @ twice, x)
    assert int((found.abs() > 1e-9).sum()) == 2


def test_more_steps_than_dimensions_explain_everything() -> None:
    atoms, x = atoms_of(30, 4), torch.randn(20, 4, generator=torch.Generator().manual_seed(1)).double()
    found = pursuit(x, atoms, 9)
    torch.testing.assert_close(found @ atoms, x)
    assert ((found != 0).sum(1) <= 4).all()


def test_float32_vectors_lose_nothing_but_their_own_digits() -> None:
    atoms, x = atoms_of(64, 32), torch.randn(50, 32, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(pursuit(x, atoms.float(), 6), pursuit(x.double(), atoms.float(), 6).float(), atol=1e-6)


Box = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5))


@given(st.lists(st.lists(Box, max_size=6), min_size=1, max_size=4))
def test_quarters_are_those_of_a_plain_loop(images: list[list[tuple[int, int, int, int]]]) -> None:
    boxes = [[[x, y, x + w, y + h] for x, y, w, h in image] for image in images]
    flat = torch.tensor([box for image in boxes for box in image], dtype=torch.int64).view(-1, 4)
    numbers = torch.tensor([i for i, image in enumerate(boxes) for _ in image], dtype=torch.int64)
    wanted = [slow_quarter(box, image) for image in boxes for box in image]
    assert quarters(Regions(flat, numbers), len(images)).tolist() == wanted


def test_cells_of_a_map_fall_into_its_quarters() -> None:
    places = [(x, y) for y in range(4) for x in range(3)]
    boxes = torch.tensor([[x, y, x + 1, y + 1] for x, y in places])
    found = quarters(Regions(boxes, torch.zeros(12, dtype=torch.int64)), 1).view(4, 3).tolist()
    assert found == [[0, 1, 1], [0, 1, 1], [2, 3, 3], [2, 3, 3]]  # the column in the middle counts to the right


def test_atoms_have_length_one_and_explain_what_few_hidden_ones_made() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = atoms_of(24, 16)
    which = torch.stack([torch.randperm(24, generator=generator)[:2] for _ in range(2200)])
    made = (torch.randn(2200, 2, 1, generator=generator) * hidden[which]).sum(1)
    train, test = made[:2000], made[2000:]
    atoms = dictionary(train, 24, 0.2, 0)
    torch.testing.assert_close(atoms.norm(dim=1), torch.ones(24).double())

    def left(own: Tensor) -> float:
        return float((test - pursuit(test, own, 2) @ own).square().sum() / test.square().sum())

    assert left(hidden) < 0.02
    assert left(atoms) < 0.5 * left(F.normalize(train[:24], dim=1))


def test_the_length_of_the_vectors_does_not_change_the_dictionary() -> None:
    train = vectors(500)
    torch.testing.assert_close(dictionary(train, 8, 0.2, 0), dictionary(64 * train, 8, 0.2, 0))


def test_blocks_are_coded_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, found = fitted("sparse"), regions([30, 20])
    whole = code(encoder, found, batch=2)
    monkeypatch.setattr("deepret.models.aggregation.sparse.BLOCK", 7)
    assert torch.allclose(code(encoder, found, batch=2), whole)


def test_refuses_more_coefficients_than_atoms() -> None:
    with pytest.raises(UserError, match=r"aggregation.nonzeros=9: .* 8 atoms"):
        Sparse(DIM, atoms=8, nonzeros=9)
