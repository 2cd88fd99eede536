from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepret.errors import UserError
from deepret.search.exact import ExactIndex, inner_products, order_keys, split_keys, top_k


def slow_top_k(queries: torch.Tensor, database: torch.Tensor, k: int) -> list[list[int]]:
    """Sorts (−score, position) one query at a time."""
    lists = []
    for query in queries:
        scored = sorted((-float(torch.dot(query, row)), i) for i, row in enumerate(database))
        lists.append([i for _, i in scored[:k]])
    return lists


def small_codes(count: int, seed: int, dim: int = 6) -> torch.Tensor:
    """Small whole numbers: their inner products are exact, and tie all the time."""
    return torch.randint(-2, 3, (count, dim), generator=torch.Generator().manual_seed(seed)).float()


finite = st.floats(width=32, allow_nan=False, allow_infinity=True)


@given(st.lists(finite, min_size=1, max_size=20), st.integers(0, 2**32 - 21))
def test_keys_order_as_score_then_position_and_come_apart_again(values: list[float], first: int) -> None:
    keys = order_keys(torch.tensor([values]), first)[0]
    wanted = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert torch.argsort(keys, descending=True).tolist() == wanted
    scores, positions = split_keys(keys)
    assert scores.tolist() == values  # −0 equals 0 here as in the order
    assert positions.tolist() == list(range(first, first + len(values)))


def test_making_keys_leaves_the_scores_alone() -> None:
    scores = torch.tensor([[-1.0, -0.0, 2.0]])
    order_keys(scores)
    assert scores.tolist() == [[-1.0, 0.0, 2.0]]
    assert torch.signbit(scores).tolist() == [[True, True, False]]


@pytest.mark.parametrize(("block", "pairs"), [(2**16, 2**23), (7, 2**23), (1, 3), (40, 40), (64, 1)])
@pytest.mark.parametrize("k", [1, 5, 40, 100])
def test_equals_the_slow_twin_whatever_the_blocks(block: int, pairs: int, k: int) -> None:
    queries, database = small_codes(9, 0), small_codes(40, 1)
    scores, ids = top_k(queries, database, k, block=block, pairs=pairs)
    assert ids.tolist() == slow_top_k(queries, database, k)
    assert torch.equal(scores, (queries @ database.T).gather(1, ids))


def test_codes_that_are_all_the_same_come_in_the_order_of_adding() -> None:
    index = ExactIndex(block=8)
    for part in torch.ones(50, 4).split(20):
        index.add(part)
    scores, ids = index.search(torch.ones(2, 4), 30)
    assert ids.tolist() == [list(range(30))] * 2
    assert scores.unique().tolist() == [4.0]
    assert len(index) == 50


@pytest.mark.parametrize("dim", [3, 64, 100, 512])
@pytest.mark.parametrize("asked", [1, 5, 70])
def test_equal_codes_score_equal_wherever_they_stand(dim: int, asked: int) -> None:
    """A plain product rounds the last rows otherwise, in 19 of 48 such cases on the machine where this was written."""
    generator = torch.Generator().manual_seed(0)
    code, queries = torch.randn(1, dim, generator=generator), torch.randn(asked, dim, generator=generator)
    for count in (7, 1001, 2048, 4993):
        scores = inner_products(queries, code.repeat(count, 1))
        assert scores.shape == (asked, count)
        assert (scores == scores[:, :1]).all()
        torch.testing.assert_close(scores[:, :1], queries @ code.T, rtol=1e-5, atol=1e-4)
    for block in (2**16, 1000, 77, 16):
        assert top_k(queries, code.repeat(1001, 1), 1001, block=block)[1].tolist() == [list(range(1001))] * asked


def test_no_query_gives_no_row() -> None:
    scores, ids = top_k(torch.empty(0, 3), torch.ones(5, 3), 2)
    assert scores.shape == ids.shape == (0, 2)


def test_what_does_not_fit_is_refused() -> None:
    index = ExactIndex()
    with pytest.raises(UserError, match="empty"):
        index.search(torch.ones(1, 4), 1)
    index.add(torch.ones(3, 4))
    with pytest.raises(UserError, match=r"5 dimensions .* index of 4"):
        index.add(torch.ones(3, 5))
    with pytest.raises(UserError, match=r"5 dimensions .* index of 4"):
        index.search(torch.ones(3, 5), 1)
    with pytest.raises(UserError, match=r"shape \(4,\)"):
        index.search(torch.ones(4), 1)
