"""Where a network looks: the regions of an image, in its pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from deepret.data.photo import Box, Photo, upright_size
from deepret.models.network import Network


def looked_at(network: Network, device: torch.device, count: int = 4) -> Callable[[Photo], list[Box]]:
    """Photograph → the first boxes, in its pixels, that a network looks at; the best first where they have scores.

    Args:
        network: whose regions are drawn.
        device: where to compute.
        count: boxes an image.
    """
    network = network.to(device).eval()

    @torch.inference_mode()
    def boxes(photo: Photo) -> list[Box]:
        maps = network.maps(network.input.tensor(Photo(photo.path))[None].to(device))
        found = network.regions(maps)
        width, height = upright_size(photo.path)
        scale = torch.tensor([width / maps.shape[3], height / maps.shape[2]] * 2, device=device)
        rows = found.boxes * scale
        if found.scores is not None:
            rows = rows[found.scores.argsort(descending=True)]
        return [(x0, y0, x1, y1) for x0, y0, x1, y1 in rows[:count].tolist()]

    return boxes
