"""Where a network looks: the regions of an image, in its pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from deepret.data.photo import Box, Photo, upright_size
from deepret.models.network import Network, maps_of
from deepret.models.types import Found, Regions


def looked_at(network: Network, device: torch.device, count: int = 4) -> Callable[[Photo], list[Box]]:
    """Photograph → the first boxes, in its pixels, that a network looks at; the best first where they have scores.

    Local features have theirs in pixels of the tensor, in their own order.

    Args:
        network: whose regions are drawn.
        device: where to compute.
        count: boxes an image.
    """
    network = network.to(device).eval()

    @torch.inference_mode()
    def boxes(photo: Photo) -> list[Box]:
        images = network.input.tensor(Photo(photo.path))[None].to(device)
        seen: Found = network.maps(images)
        found, cells = (seen, images) if isinstance(seen, Regions) else (network.chosen(seen), maps_of(seen))
        width, height = upright_size(photo.path)
        scale = torch.tensor([width / cells.shape[3], height / cells.shape[2]] * 2, device=device)
        rows = found.boxes * scale
        if found.scores is not None:
            rows = rows[found.scores.argsort(descending=True)]
        return [(x0, y0, x1, y1) for x0, y0, x1, y1 in rows[:count].tolist()]

    return boxes
