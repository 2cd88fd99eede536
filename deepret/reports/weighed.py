"""What a network weighs: the weights of its regions, brought back to the cells of a photograph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from PIL import Image, ImageOps
from torch import Tensor

from deepret.data.photo import Photo
from deepret.models.network import Network, maps_of
from deepret.models.types import Regions

LESS, ALIKE, MORE = "#313695", "#ffffbf", "#a50026"
"""Where nothing weighs, where it weighs as the photograph's mean does, and where it weighs twice as much or more."""


def weighs(network: Network) -> bool:
    """Whether a network weighs regions by what photographs show, so that there is something to draw."""
    return bool(getattr(network.weighting, "needs_maps", True))


def weighed(network: Network, device: torch.device) -> Callable[[Photo], Tensor]:
    """Photograph → the mean weight (H, W) of the regions that each cell of its map lies in, over that of all cells.

    h(p) = m(p) / mean_q m(q), m(p) = mean of α_r over the regions r with p ∈ r, and 0 where there is none. It is the
    mean and not the sum, which would show how many regions lie there: weights that are all alike give 1 everywhere.

    Args:
        network: with maps; of weights for each channel, their mean is drawn.
        device: where to compute.
    """
    network = network.to(device).eval()

    @torch.inference_mode()
    def heat(photo: Photo) -> Tensor:
        found = network.maps(network.input.tensor(Photo(photo.path))[None].to(device))
        maps, regions = maps_of(found).float(), network.projected(found)
        return heat_of(maps.shape[2], maps.shape[3], regions, network.weighting(maps, regions)).cpu()

    return heat


def heat_of(height: int, width: int, regions: Regions, weights: Tensor) -> Tensor:
    """The mean weight of the regions of one image on each of its cells (height, width), over that of all cells.

    Args:
        height: cells of the map.
        width: cells of the map.
        regions: N boxes.
        weights: (N,) or (N, C).
    """
    total, count = (weights.new_zeros(height, width) for _ in range(2))
    each = weights.mean(1) if weights.ndim == 2 else weights
    for (x0, y0, x1, y1), weight in zip(regions.boxes.tolist(), each, strict=True):
        total[y0:y1, x0:x1] += weight
        count[y0:y1, x0:x1] += 1
    mean = total / count.clamp(min=1)
    return mean / mean.mean().clamp(min=1e-12)


def coloured(image: Image.Image, heat: Tensor) -> Image.Image:
    """A picture in grey under the colours of what its cells weigh.

    Args:
        image: RGB.
        heat: (H, W), 1 where a cell weighs as the mean does.
    """
    level = (heat.clamp(0, 2) * 127.5).round().byte().numpy()
    smooth = Image.fromarray(level).resize(image.size, Image.Resampling.BILINEAR)
    return Image.blend(image.convert("L").convert("RGB"), ImageOps.colorize(smooth, LESS, MORE, ALIKE), 0.5)
