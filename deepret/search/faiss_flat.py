"""Exact search by inner product with FAISS, on the processor or, where FAISS was built for it, on a GPU."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor

from deepret.errors import UserError
from deepret.search.exact import check_length


def load_faiss(setting: str = "index=faiss", instead: str = "index=torch") -> Any:
    """The module ``faiss``.

    Args:
        setting: what needs it, for the message.
        instead: what does without.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError:
        raise UserError(
            f"{setting} needs FAISS, which is not installed: pip install 'deepret[cpu]' (with an NVIDIA GPU "
            f"'deepret[gpu]'), or take {instead}."
        ) from None


class FaissIndex:
    """FAISS's ``IndexFlatIP`` behind the interface of ``ExactIndex``, with the same order of ties.

    On a GPU where ``faiss-gpu`` is installed and finds one (not measured).

    Args:
        batch: queries searched at once; bounds the memory, not the result.
    """

    def __init__(self, batch: PositiveInt = 4096) -> None:
        self.batch = batch
        self._faiss = load_faiss()
        self._index: Any = None

    def __len__(self) -> int:
        return 0 if self._index is None else int(self._index.ntotal)

    def add(self, codes: Tensor) -> None:
        """Appends codes (n, D); a code's id is its place in the order of adding, from 0.

        Raises:
            UserError: codes of another length than those already there.
        """
        check_length(codes, None if self._index is None else int(self._index.d))
        if self._index is None:
            self._index = self._flat(codes.shape[1])
        self._index.add(_rows(codes))

    def _flat(self, dim: int) -> Any:
        index = self._faiss.IndexFlatIP(dim)
        if hasattr(self._faiss, "StandardGpuResources") and self._faiss.get_num_gpus() > 0:
            return self._faiss.index_cpu_to_gpu(self._faiss.StandardGpuResources(), 0, index)
        return index

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores (Q, min(k, n)) float32 and ids (Q, min(k, n)) int64 of the k best codes, best first; ties by id.

        Raises:
            UserError: an empty index, or queries of another length than the codes.
        """
        if self._index is None:
            raise UserError("the index is empty: add codes before searching.")
        check_length(queries, int(self._index.d))
        k = min(k, len(self))
        parts = [self._search(_rows(chunk), k) for chunk in torch.split(queries, self.batch)]
        scores, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        return torch.from_numpy(scores), torch.from_numpy(ids)

    def _search(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """FAISS keeps any of the codes that tie for the last places: fetches more until the tie ends within reach."""
        fetch = min(k + 1, len(self))
        scores, ids = self._index.search(rows, fetch)
        order = _order(scores, ids)[:, :k]
        scores, ids, last = *(np.take_along_axis(a, order, 1) for a in (scores, ids)), scores[:, -1]
        tied = np.flatnonzero(scores[:, -1] == last)
        while len(tied) and fetch < len(self):
            fetch = min(2 * fetch, len(self))
            more, names = self._index.search(rows[tied], fetch)
            order = _order(more, names)[:, :k]
            scores[tied], ids[tied] = (np.take_along_axis(a, order, 1) for a in (more, names))
            tied = tied[more[:, -1] == scores[tied, -1]]
        return scores, ids


def _rows(codes: Tensor) -> np.ndarray:
    return np.ascontiguousarray(codes.detach().float().cpu().numpy())


def _order(scores: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The order (Q, k) by score, descending, and by id among equals."""
    return np.lexsort((ids, -scores), axis=1)
