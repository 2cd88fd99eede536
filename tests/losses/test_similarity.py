"""How near codes are, where the usual formulas have no gradient or too little precision."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepret.losses.similarity import cosines, distances, exact, nothing, root


def test_the_root_has_a_gradient_of_zero_at_zero() -> None:
    squares = torch.tensor([0.0, 4.0, 1e-30], requires_grad=True)
    found = root(squares)
    torch.testing.assert_close(found.detach(), torch.tensor([0.0, 2.0, 1e-15]))
    found[:2].sum().backward()
    assert squares.grad is not None
    assert squares.grad.tolist() == [0.0, 0.25, 0.0]


@pytest.mark.parametrize("given", [torch.float64, torch.float32, torch.bfloat16])
def test_autocast_changes_neither_distances_nor_cosines(given: torch.dtype) -> None:
    rows = torch.randn(9, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        length, cosine = distances(rows[:4], rows), cosines(rows[:4], rows)
    wanted = torch.promote_types(given, torch.float32)
    assert length.dtype == cosine.dtype == exact(rows).dtype == wanted
    double = rows.double()
    torch.testing.assert_close(length.double(), torch.cdist(double[:4], double), rtol=0, atol=1e-2)
    torch.testing.assert_close(cosine.double(), F.normalize(double[:4]) @ F.normalize(double).T, rtol=0, atol=1e-6)


def test_nothing_is_zero_with_a_gradient_for_each() -> None:
    rows = [torch.full((2, 3), torch.inf, dtype=torch.float16, requires_grad=True), torch.ones(4, requires_grad=True)]
    found = nothing(*rows)
    found.backward()
    assert found.dtype == torch.float32
    assert float(found.detach()) == 0
    assert all(part.grad is not None and not part.grad.any() for part in rows)
