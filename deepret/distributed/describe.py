"""Describing photographs with several processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from deepret.data.photo import Photo
from deepret.distributed.processes import everyones, first
from deepret.distributed.ranks import rank, world
from deepret.search.describe import Describer
from deepret.search.sets import joined


class Together(Describer):
    """Describes photographs with all processes: each takes a share of the batches, and each is given all codes.

    The codes are those of one process, since the batches are. Every process has to call it. Buffers that each has made
    its own, such as batch statistics that learn, become the first one's, whose network is kept.
    """

    def __call__(self, photos: Sequence[Photo], sizes: Sequence[tuple[int, int]] | None = None) -> Tensor:
        """Codes (n, D), or sets of them (n, K, D), float32 on the CPU, in the order of the photographs."""
        if world() == 1 or not photos:
            return super().__call__(photos, sizes)
        key, codes = first(lambda: self.known(photos))
        if codes is None:
            codes = self.gathered(photos, sizes)
            if rank() == 0:
                self.keep(key, codes)
        self.tell_zeros(codes, photos)
        return codes

    def gathered(self, photos: Sequence[Photo], sizes: Sequence[tuple[int, int]] | None) -> Tensor:
        """Codes (n, D), or sets of them (n, K, D), of which each process computes a share."""
        self.network.to(self.device)  # a collective moves what lies on the same kind of device everywhere
        for buffer in self.network.buffers():
            dist.broadcast(buffer, 0)
        parts = [part for part in everyones(self.share(photos, sizes, rank(), world())) if len(part[1])]
        found, positions = joined([part[0] for part in parts]), torch.cat([part[1] for part in parts])
        codes = torch.empty_like(found)
        codes[positions] = found
        return codes
