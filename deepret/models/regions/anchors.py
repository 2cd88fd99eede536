"""Anchors: the boxes that every place of a map proposes to correct."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=256)
def anchor_boxes(
    height: int,
    width: int,
    scales: tuple[float, ...],
    ratios: tuple[float, ...],
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Anchors (H · W · A, 4) in cells, place by place, row by row, the same at every place; not to be written into.

    An anchor of scale s and ratio r has the area (s · max(H, W))² and the height r times its width, so anchors grow
    with the image.

    Args:
        height: H, cells of the map.
        width: W, cells of the map.
        scales: shares of the map's larger side.
        ratios: height over width.
        device: where they lie.
        dtype: named, since what is kept may not depend on the default that torch had when it was made.
    """
    larger = max(height, width)
    sides = [(s * larger / r**0.5, s * larger * r**0.5) for s in scales for r in ratios]
    with torch.inference_mode(False):  # what is kept may be needed for a gradient later
        half = torch.tensor([(-w / 2, -h / 2, w / 2, h / 2) for w, h in sides], device=device, dtype=dtype)
        ys, xs = torch.meshgrid(
            *(torch.arange(n, device=device, dtype=dtype) + 0.5 for n in (height, width)), indexing="ij"
        )
        centres = torch.stack([xs, ys, xs, ys], dim=-1).reshape(-1, 1, 4)
        return (centres + half).reshape(-1, 4)
