"""Boxes for photographs that bring none: where each looks most like the rest of its class."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor
from tqdm import tqdm

from deepret.data.catalogue import Box, Catalogue
from deepret.data.loading import photo_loader
from deepret.errors import UserError
from deepret.models.network import Network
from deepret.models.types import Regions
from deepret.search.describe import Describer, evaluating


class Response:
    """Finds, with the ranking network itself, the box on which an image agrees best with its class and least with others.

    For each box R of a lattice, score(R) = cos(P(max over R), t) + size · log(area share of R), where P is the network's
    projection and t = L2(c_own − contrast · c_others): c_own is the mean code of the *other* images of the class, c_others
    the mean code of the train split. The contrast takes away what all photographs share, such as sky; the last term keeps
    the box from shrinking to the one detail that fires.

    Args:
        lines: lines of the lattice along a side, at most; boxes run between them.
        least: least share of a side that a box takes.
        contrast: how much of the mean of all is taken away from the class's.
        size: weight of the logarithm of the area.
    """

    def __init__(
        self,
        lines: Annotated[int, Field(ge=3, le=17)] = 9,
        least: Annotated[float, Field(gt=0, lt=1)] = 0.25,
        contrast: Annotated[float, Field(ge=0, le=1)] = 1.0,
        size: Annotated[float, Field(ge=0)] = 0.05,
    ) -> None:
        self.lines = lines
        self.least = least
        self.contrast = contrast
        self.size = size

    def boxes(self, catalogue: Catalogue, describe: Describer) -> list[list[Box]]:
        """For each labelled photograph of train and val one box in pixels; none for the rest.

        Raises:
            UserError: no labelled photographs.
        """
        rows = [i for i, s in enumerate(catalogue.splits) if s in ("train", "val") and catalogue.labels[i] and not catalogue.views[i]]
        if not rows:
            raise UserError(f"boxes=response: {catalogue.root} has no labelled photographs to compare with each other.")
        photos, sizes = [catalogue.photo(i) for i in rows], [catalogue.sizes[i] for i in rows]
        wanted = class_targets(describe(photos, sizes), catalogue.label_ids()[torch.tensor(rows)], self.contrast)
        found: list[list[Box]] = [[] for _ in range(len(catalogue))]
        network = describe.network
        loader = photo_loader(photos, sizes, network.input, describe.batch_size, describe.workers)
        with evaluating(network), torch.inference_mode(), tqdm(total=len(rows), desc="finding boxes", disable=None, leave=False) as bar:
            for images, positions in loader:
                maps = network.maps(images.to(describe.device))
                cells = self.best(network, maps, wanted[positions].to(maps.device)).cpu()
                for box, position in zip(cells, positions.tolist(), strict=True):
                    width, height = sizes[position]
                    scale = torch.tensor([width / maps.shape[3], height / maps.shape[2]] * 2)
                    x0, y0, x1, y1 = (box * scale).tolist()
                    found[rows[position]] = [(x0, y0, x1, y1)]
                bar.update(len(positions))
        return found

    def best(self, network: Network, maps: Tensor, wanted: Tensor) -> Tensor:
        """The best box (B, 4) in cells on each of the maps (B, C, H, W), for the targets (B, D)."""
        batch, _, height, width = maps.shape
        lattice = lattice_boxes(height, width, self.lines, self.least).to(maps.device)
        image = torch.arange(batch, device=maps.device).repeat_interleave(len(lattice))
        vectors = network.projection(network.pooling(maps, Regions(lattice.repeat(batch, 1), image)).float())
        area = (lattice[:, 2] - lattice[:, 0]) * (lattice[:, 3] - lattice[:, 1]) / (height * width)
        scores = (vectors * wanted[image]).sum(dim=1).view(batch, -1) + self.size * area.log()
        return lattice[scores.argmax(dim=1)]


def class_targets(codes: Tensor, labels: Tensor, contrast: float) -> Tensor:
    """t (n, D) of codes (n, D): the mean of the others of the class, less the mean of all, of length one."""
    order = labels.unique(return_inverse=True)[1]
    sums = torch.zeros(int(order.max()) + 1, codes.shape[1]).index_add(0, order, codes)
    counts = torch.bincount(order)
    own = (sums[order] - codes) / (counts[order] - 1).clamp(min=1)[:, None]
    return F.normalize(F.normalize(own, dim=1) - contrast * codes.mean(dim=0), dim=1)


def lattice_boxes(height: int, width: int, lines: PositiveInt, least: float) -> Tensor:
    """All boxes (R, 4) int64 in cells between at most ``lines`` lines a side that take at least ``least`` of each side."""

    def spans(cells: int) -> Tensor:
        places = torch.linspace(0, cells, min(lines, cells + 1)).round().long().unique()
        pairs = torch.combinations(places, 2)
        return pairs[(pairs[:, 1] - pairs[:, 0]) >= least * cells]

    across, down = spans(width), spans(height)
    x, y = across.repeat(len(down), 1), down.repeat_interleave(len(across), dim=0)
    return torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], dim=1)
