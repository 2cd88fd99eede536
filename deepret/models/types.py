"""What travels between the parts of a network.

Shape letters, used everywhere below ``deepret/``:

    B images   C channels   H W cells of a map   N regions in the batch   M codes   D dimensions   A anchors
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass
class Regions:
    """Boxes on the maps of a batch, with their vectors once they are pooled.

    Args:
        boxes: (N, 4) int64, half-open x0, y0, x1, y1 in cells, at least one cell each.
        image: (N,) int64, the image of the batch that each box lies on, ascending.
        vectors: (N, C), what pooling found in each box, or None before pooling.
        scores: (N,), the confidence of a proposal, or None where there is none.
    """

    boxes: Tensor
    image: Tensor
    vectors: Tensor | None = None
    scores: Tensor | None = None

    def with_vectors(self, vectors: Tensor) -> Regions:
        """The same regions, with vectors of shape (N, C)."""
        return replace(self, vectors=vectors)


@dataclass
class Proposed:
    """Maps of a batch, with boxes that were found in the photographs' own pixels.

    Args:
        maps: (B, C, H, W).
        boxes: of each image (k, 4), x0, y0, x1, y1 as shares of the sides of what its map shows.
    """

    maps: Tensor
    boxes: list[Tensor]


Given = Tensor | Regions
"""What a backbone gives: maps (B, C, H, W), or local features at once, as regions with vectors and without maps."""
Found = Given | Proposed
"""The same, where regions need images with their boxes beside the maps."""


@dataclass
class Codes:
    """What leaves the aggregation and the head.

    Args:
        vectors: (M, D), the descriptors.
        image: (M,) int64, the image of the batch that each belongs to; M = B unless regions are kept apart.
    """

    vectors: Tensor
    image: Tensor
