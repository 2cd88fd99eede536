from __future__ import annotations

import sys

import pytest
import torch

from deepret.errors import UserError
from deepret.search.exact import ExactIndex
from deepret.search.faiss_flat import FaissIndex


def both(database: torch.Tensor, queries: torch.Tensor, k: int, batch: int = 4096) -> list[tuple[torch.Tensor, ...]]:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    found = []
    for index in (ExactIndex(), FaissIndex(batch=batch)):
        for part in database.split(17):
            index.add(part)
        assert len(index) == len(database)
        found.append(index.search(queries, k))
    return found


@pytest.mark.parametrize("k", [1, 10, 80, 1000])
def test_gives_what_torch_gives(k: int) -> None:
    torch.manual_seed(0)
    database, queries = torch.randn(80, 32), torch.randn(11, 32)
    (scores, ids), (faiss_scores, faiss_ids) = both(database, queries, k, batch=4)
    assert torch.equal(ids, faiss_ids)
    assert torch.allclose(scores, faiss_scores, atol=1e-5)
    assert faiss_scores.dtype == torch.float32
    assert faiss_ids.dtype == torch.int64


@pytest.mark.parametrize("k", [1, 2, 7, 30, 59, 60])
def test_ties_fall_as_with_torch(k: int) -> None:
    """Whole numbers make exact inner products: three quarters of these tie, and many at the last place."""
    generator = torch.Generator().manual_seed(1)
    database = torch.randint(0, 2, (60, 3), generator=generator).float()
    queries = torch.randint(0, 2, (20, 3), generator=generator).float()
    (scores, ids), (faiss_scores, faiss_ids) = both(database, queries, k)
    assert torch.equal(ids, faiss_ids)
    assert torch.equal(scores, faiss_scores)


def test_what_does_not_fit_is_refused() -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    index = FaissIndex()
    with pytest.raises(UserError, match="empty"):
        index.search(torch.ones(1, 4), 1)
    index.add(torch.ones(3, 4))
    with pytest.raises(UserError, match=r"5 dimensions .* index of 4"):
        index.add(torch.ones(3, 5))
    with pytest.raises(UserError, match=r"5 dimensions .* index of 4"):
        index.search(torch.ones(3, 5), 1)


def test_missing_faiss_is_said_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"pip install 'deepret\[cpu\]'"):
        FaissIndex()
