"""Boxes for photographs that bring none: where each agrees with the rest of its class."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from deepret.data.catalogue import Catalogue
from deepret.data.loading import photo_loader
from deepret.data.photo import Box
from deepret.errors import UserError
from deepret.models.network import Network
from deepret.models.regions.cells import Cells
from deepret.search.describe import Describer, evaluating


class Response:
    """Finds, with the ranking network itself, the box on which an image agrees best with the rest of its class.

    A cell p responds by r(p) = P(X(p)) · t: its own vector, pooled and projected as a region of one cell, against the
    target t = L2(L2(Σ codes of the class's other images) − mean code of all). The box is the one of the largest

        Σ_{p ∈ box} (r(p) − τ),    τ = min r + level · (max r − min r) over the image.

    Cells that agree less than τ count against the box, so it holds the object and no more: neither the whole image, as
    a plain sum would have it, nor the one detail that fires most, as the cosine of a pooled vector has it. The best box
    is found exactly: for each pair of rows, the largest difference of a running sum (Kadane).

    This is the project's own, not out of a paper: Deep Image Retrieval gets its boxes by matching local features.

    Args:
        level: place of τ between an image's smallest and largest response, so that what all its cells share does not
            count; more makes smaller boxes.
        fine: how many times finer than cells the sides are placed, the responses between cells being interpolated.
        least: share of each side of the image that a box takes at least.
    """

    def __init__(
        self,
        level: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        fine: Annotated[int, Field(ge=1, le=8)] = 4,
        least: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    ) -> None:
        self.level = level
        self.fine = fine
        self.least = least

    def check(self, catalogue: Catalogue) -> None:
        """Refuses, before any work, photographs that no box can be found in.

        Raises:
            UserError: no class of train has two labelled photographs.
        """
        if not any(catalogue.splits[row] == "train" for row in comparable(catalogue)):
            raise UserError(
                f"boxes=response: no class of the train split in {catalogue.root} has two labelled photographs to "
                f"compare: label some, or take boxes=given with box columns, or regions=grid, which needs no boxes."
            )

    def boxes(self, catalogue: Catalogue, describe: Describer) -> list[list[Box]]:
        """For each photograph one box in pixels, or none: only labelled ones of train and val with company have any.

        Raises:
            UserError: no class of train has two labelled photographs.
        """
        self.check(catalogue)
        rows = comparable(catalogue)
        photos, sizes = [catalogue.photo(row) for row in rows], [catalogue.sizes[row] for row in rows]
        labels = catalogue.label_ids()[torch.tensor(rows)]
        targets = class_targets(describe(photos, sizes), labels)
        network, device = describe.network, describe.device
        found: list[list[Box]] = [[] for _ in range(len(catalogue))]
        with (
            torch.inference_mode(),
            evaluating(network),
            tqdm(total=len(rows), desc="finding boxes", unit=" images", disable=None, leave=False) as bar,
        ):
            for images, positions in photo_loader(photos, sizes, network.input, describe.batch_size, describe.workers):
                responses = cell_responses(network, network.maps(images.to(device)), targets[positions].to(device))
                shares = self.best(responses.cpu())
                for share, position in zip(shares, positions.tolist(), strict=True):
                    width, height = sizes[position]
                    x0, y0, x1, y1 = (share * torch.tensor([width, height, width, height])).tolist()
                    found[rows[position]] = [(x0, y0, x1, y1)]
                bar.update(len(positions))
        return found

    def best(self, responses: Tensor) -> Tensor:
        """The best box (B, 4), as shares of the image's sides, on responses (B, H, W)."""
        low, high = responses.amin(dim=(1, 2), keepdim=True), responses.amax(dim=(1, 2), keepdim=True)
        above = responses - low - self.level * (high - low)
        if self.fine > 1:
            above = F.interpolate(above[:, None], scale_factor=self.fine, mode="bilinear", align_corners=False)[:, 0]
        height, width = above.shape[1:]
        return largest_sum(above, self.least) / torch.tensor([width, height, width, height])


def comparable(catalogue: Catalogue) -> list[int]:
    """The rows of labelled photographs of train and val whose class has another one there; views have none."""
    rows = [
        row
        for row, (split, label, view) in enumerate(
            zip(catalogue.splits, catalogue.labels, catalogue.views, strict=True)
        )
        if split in ("train", "val") and label and not view
    ]
    counts: dict[str, int] = {}
    for row in rows:
        counts[catalogue.labels[row]] = counts.get(catalogue.labels[row], 0) + 1
    return [row for row in rows if counts[catalogue.labels[row]] > 1]


def class_targets(codes: Tensor, labels: Tensor) -> Tensor:
    """What the cells of each image are compared with: L2(L2(Σ of the class's other codes) − mean of all codes).

    Args:
        codes: (n, D), of length one.
        labels: (n,) int64; each class has at least two images.

    Returns:
        targets (n, D), of length one. The mean holds what all photographs share, such as sky.
    """
    classes = torch.unique(labels, return_inverse=True)[1]
    sums = torch.zeros(int(classes.max()) + 1, codes.shape[1]).index_add(0, classes, codes)
    return F.normalize(F.normalize(sums[classes] - codes, dim=1) - codes.mean(dim=0), dim=1)


def cell_responses(network: Network, maps: Tensor, targets: Tensor) -> Tensor:
    """How much each cell of maps (B, C, H, W) agrees with its image's target (B, D): cosines (B, H, W)."""
    batch, _, height, width = maps.shape
    vectors = network.projection(network.pooling(maps, Cells()(maps)).float())
    responses: Tensor = (vectors.view(batch, height, width, -1) * targets[:, None, None]).sum(dim=-1)
    return responses


def largest_sum(values: Tensor, least: float) -> Tensor:
    """The box whose values have the largest sum, on each of the maps.

    For each pair of rows the columns between them are summed; their running sum S makes the sum from x0 to x1 the
    difference S(x1) − S(x0), which is largest against the smallest S before x1.

    Args:
        values: (B, H, W).
        least: share of H and of W that a box takes at least.

    Returns:
        boxes (B, 4) int64, half-open x0, y0, x1, y1.
    """
    batch, height, width = values.shape
    tall, wide = max(1, round(least * height)), max(1, round(least * width))
    y0, y1 = torch.combinations(torch.arange(height + 1, device=values.device)).unbind(1)
    y0, y1 = y0[y1 - y0 >= tall], y1[y1 - y0 >= tall]
    above = F.pad(values.double().cumsum(dim=1), (0, 0, 1, 0))
    sums = F.pad((above[:, y1] - above[:, y0]).cumsum(dim=2), (1, 0))  # (B, pairs of rows, W + 1)
    smallest, x0 = sums[:, :, : width + 1 - wide].cummin(dim=2)
    best = (sums[:, :, wide:] - smallest).flatten(1).argmax(dim=1)
    rows, end = best // (width + 1 - wide), best % (width + 1 - wide)
    start = x0[torch.arange(batch, device=values.device), rows, end]
    return torch.stack([start, y0[rows], end + wide, y1[rows]], dim=1)
