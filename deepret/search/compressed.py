"""Codes in fewer bytes, by the quantizers of FAISS."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.errors import UserError
from deepret.search.faiss_flat import load_faiss


class Codec:
    """Codes of length one → bytes, and back; learned on the first codes that it is given.

    Args:
        name: what FAISS's factory calls it, ``SQ8`` or ``PQ32``, say.

    Raises:
        UserError: FAISS is not installed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        """Bytes of a code, once it has learned."""
        self._faiss = load_faiss(f"index.compress={name}", "index.compress=null")
        self._codec: Any = None

    def encode(self, codes: Tensor) -> Tensor:
        """Codes (n, D) float32 → (n, size) uint8.

        Raises:
            UserError: FAISS knows no such compression of D dimensions, or there are too few codes to learn it from.
        """
        rows = np.ascontiguousarray(codes.detach().float().cpu().numpy())
        if self._codec is None:
            try:
                self._codec = self._faiss.index_factory(rows.shape[1], self.name, self._faiss.METRIC_INNER_PRODUCT)
                if hasattr(self._codec, "pq"):  # it would write lines of its own about few codes
                    self._codec.pq.cp.min_points_per_centroid = 1
                self._codec.train(rows)
                self.size = int(self._codec.sa_code_size())
            except RuntimeError as error:
                said = str(error).rpartition(": ")[2].strip()
                raise UserError(
                    f"index.compress={self.name}: FAISS cannot compress {len(rows):,} objects of {rows.shape[1]} "
                    f"dimensions so ({said}): take SQ8, or PQ with a number that divides the dimensions."
                ) from None
        return torch.from_numpy(self._codec.sa_encode(rows))

    def decode(self, coded: Tensor) -> Tensor:
        """(n, size) uint8 → codes (n, D) float32, of length one."""
        rows = torch.from_numpy(self._codec.sa_decode(np.ascontiguousarray(coded.cpu().numpy())))
        return F.normalize(rows, dim=1)
