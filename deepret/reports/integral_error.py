"""How far integral pooling is from the maximum on photographs, by α and by the depth of the layer.

python -m deepret.reports.integral_error photos=DIR [images=12] [size=512]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor

from deepret.data.folder import images_below
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.models.backbone.lite0 import Lite0
from deepret.models.input.longer import Longer
from deepret.models.pooling.integral import Integral
from deepret.models.pooling.max import Max
from deepret.models.regions.grid import Grid
from deepret.reports.command import command
from deepret.reports.table import table

LAYERS = ("blocks.1.1.bn1", "blocks.2.1.bn1", "blocks.4.2.bn1", "blocks.5.3.bn1", "bn2")
"""Layers of Lite0 after a ReLU, ever deeper; the last gives the backbone's own maps."""
ALPHAS = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0)
USUAL = 10.0


@torch.no_grad()
def integral_error(photos: str, images: Annotated[int, Field(ge=2)] = 12, size: PositiveInt = 512) -> dict[str, Any]:
    """Prints the relative error of cosines that integral pooling makes, by layer and α, its mean and its worst.

    Args:
        photos: a folder of photographs.
        images: how many of them to take, evenly from all.
        size: larger side in pixels.

    Returns:
        what the last line prints: of the backbone's own maps at α = 10, ``error`` and ``worst``, the relative error of
        cosines, and ``nearest``, the smallest cosine of a region's vector with the one that the maximum gives.

    Raises:
        UserError: fewer than two photographs.
    """
    paths = images_below(Path(photos).expanduser())
    if len(paths) < 2:
        raise UserError(f"photos={photos}: two photographs are needed at least, and there are {len(paths)}.")
    paths = [paths[i * len(paths) // images] for i in range(images)] if len(paths) > images else paths
    maps = maps_by_layer([Photo(path) for path in paths], size)
    found = {(layer, alpha): errors(maps[layer], alpha) for layer in LAYERS for alpha in ALPHAS}
    print(f"relative error of cosines in per cent, mean and worst, {len(paths)} photographs of {size} pixels")
    rows = []
    for layer in LAYERS:
        _, channels, height, width = maps[layer][0].shape
        each = [found[layer, alpha] for alpha in ALPHAS]
        rows.append([layer, f"{channels} × {height} × {width}", *(f"{100 * a:.2f} {100 * b:.1f}" for a, b, _ in each)])
    print(table(["layer", "its first map", *(f"α = {alpha:.0f}" for alpha in ALPHAS)], rows))
    error, worst, nearest = (round(value, 4) for value in found[LAYERS[-1], USUAL])
    return {"error": error, "worst": worst, "nearest": nearest, "images": len(paths), "size": size}


def maps_by_layer(photos: Sequence[Photo], size: int) -> dict[str, list[Tensor]]:
    """Maps (1, C, H, W) of each photograph at each of the layers."""
    backbone = Lite0().eval()
    pixels = Longer(backbone.mean, backbone.std, size=size)
    maps: dict[str, list[Tensor]] = {name: [] for name in LAYERS}
    for name, module in backbone.body.named_modules():
        if name in maps:
            module.register_forward_hook(lambda _, __, output, name=name: maps[name].append(output))
    for photo in photos:
        backbone(pixels(pixels.tensor(photo)[None]))
    return maps


def errors(maps: Sequence[Tensor], alpha: float) -> tuple[float, float, float]:
    """What integral pooling changes in the vectors of the grid's regions, against the exact maximum.

    Args:
        maps: (1, C, H, W) of each photograph.
        alpha: α.

    Returns:
        the mean and the largest |s̃ − s| / s, where s is the cosine of a region's vector with the maximum over the whole
        of another photograph, and s̃ the same of its integral vector; the smallest cosine of these two vectors.
    """
    whole = F.normalize(torch.cat([own.amax((2, 3)) for own in maps]), dim=1)
    relative, same = [], []
    for i, own in enumerate(maps):
        regions = Grid()(own)
        exact, near = (F.normalize(pool(own, regions), dim=1) for pool in (Max(), Integral(alpha)))
        others = torch.cat([whole[:i], whole[i + 1 :]]).T
        relative.append((((near - exact) @ others).abs() / (exact @ others)).flatten())
        same.append((near * exact).sum(1))
    every = torch.cat(relative)
    return float(every.mean()), float(every.max()), float(torch.cat(same).min())


if __name__ == "__main__":
    command(f"{__spec__.name}.integral_error", "photos=DIR")
