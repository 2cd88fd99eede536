"""Proposals that know of no class and learn nothing: what hangs together in the photograph, by selective search."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torchvision.ops import nms

from deepret.data.loading import without_opencv_threads
from deepret.models.regions.box_cache import BoxCache
from deepret.models.types import Regions

Pixels = np.ndarray
"""(h, w, 3) uint8, red first."""
ROUNDED = 1e-4
"""Cells by which a border may lie beside a whole one because shares of a side are rounded."""


class Proposals(nn.Module):
    """Takes the largest boxes that selective search finds in the photograph's own pixels.

    Selective search cuts a photograph into small parts and joins the two that are most alike, in colour, texture, size
    and fit, again and again until one is left, all of the image; the box around each part on the way is a proposal.
    They have no order that means anything, so the largest come first here, less those that overlap a larger one by
    IoU > ``nms``. In cells, left and top are rounded down, right and bottom up. A photograph of one colour has one
    proposal, the whole. The search is on the processor, and its boxes are kept on disk by the content of the pixels; in
    training, whose crops are all new, they are found each time.

    Args:
        top: proposals an image, at most.
        nms: IoU above which the smaller of two proposals goes.
        side: the larger side in pixels at which the photograph is searched; smaller ones stay as they are.
        mode: ``fast`` searches in two colour spaces, ``quality`` in five and with more sizes of the first parts.
        whole: adds the whole map as one more region, not counted in ``top``.
        folder: where boxes are kept, or None.

    Shape:
        maps (B, C, H, W) and the boxes of ``propose`` → Regions, image by image, the largest first.

    Paper: Uijlings et al., "Selective search for object recognition", IJCV 2013; Girshick et al., "Rich feature
    hierarchies for accurate object detection and semantic segmentation" (R-CNN), CVPR 2014.
    """

    trained: ClassVar[bool] = False
    needs_images: ClassVar[bool] = True

    def __init__(
        self,
        top: PositiveInt = 32,
        nms: Annotated[float, Field(gt=0, lt=1)] = 0.7,
        side: Annotated[int, Field(ge=16)] = 256,
        mode: Literal["fast", "quality"] = "fast",
        whole: bool = True,
        folder: str | None = None,
    ) -> None:
        super().__init__()
        self.top = top
        self.nms = nms
        self.side = side
        self.mode = mode
        self.whole = whole
        self.kept = BoxCache(Path(folder).expanduser()) if folder else None

    def propose(self, images: Tensor) -> list[Tensor]:
        """All boxes (k, 4) float32 of each of images (B, 3, h, w) in 0…255, as shares of its sides, the largest first.

        The same pixels have the same boxes, in the same order, whatever stands beside them.
        """
        pixels = images.detach().round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        with without_opencv_threads(), ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
            return [torch.from_numpy(own) for own in pool.map(self._boxes, pixels)]

    def _boxes(self, pixels: Pixels) -> np.ndarray:
        kept = None if self.training else self.kept
        key = "" if kept is None else kept.key(pixels, f"selective search, {self.mode}, {self.side}")
        boxes = None if kept is None else kept.read(key)
        if boxes is None:
            boxes = selective_search(shrunk(pixels, self.side), self.mode)
            if kept is not None:
                kept.write(key, boxes)
        return boxes

    def forward(self, maps: Tensor, boxes: Sequence[Tensor]) -> Regions:
        """The proposals in whole cells of the maps, each at least one.

        Args:
            maps: (B, C, H, W).
            boxes: of each image (k, 4), as shares of its sides, in the order of preference.
        """
        height, width = maps.shape[2:]
        each = [self._chosen(own.cpu(), height, width) for own in boxes]
        image = torch.arange(len(each)).repeat_interleave(torch.tensor([len(own) for own in each]))
        return Regions(torch.cat(each).to(maps.device), image.to(maps.device))

    def _chosen(self, boxes: Tensor, height: int, width: int) -> Tensor:
        """The cells (n, 4) of one image's regions, n ≥ 1."""
        all_of_it = torch.tensor([[0, 0, width, height]])
        cells = in_cells(boxes, height, width)
        if self.whole or not len(cells):
            cells = torch.cat([all_of_it, cells])
        order = torch.arange(len(cells), 0, -1).float()  # what comes first counts most
        kept = nms(cells.float(), order, self.nms)
        return cells[kept[: self.top + self.whole]]


def in_cells(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (k, 4) as shares of the sides → (k, 4) int64 in cells: rounded outwards, on the map, at least one cell."""
    limit = torch.tensor([width, height])
    scaled = boxes.double() * limit.repeat(2)
    start = (scaled[:, :2] + ROUNDED).floor().long().clamp(min=0)
    start = torch.minimum(start, limit - 1)
    end = torch.minimum((scaled[:, 2:] - ROUNDED).ceil().long(), limit)
    return torch.cat([start, torch.maximum(end, start + 1)], dim=1)


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """Pixels whose larger side is ``side`` at most."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(scale * width)), max(1, round(scale * height))
    found: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return found


def selective_search(pixels: Pixels, mode: Literal["fast", "quality"] = "fast") -> np.ndarray:
    """The boxes (k, 4) float32 that selective search finds, as shares of the sides, each once, the largest first.

    OpenCV shuffles them by random numbers of its own: only which there are is taken from it.

    Args:
        pixels: the image.
        mode: how many ways of cutting and joining are tried.
    """
    height, width = pixels.shape[:2]
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(pixels[:, :, ::-1]))  # OpenCV wants blue first
    search.switchToSelectiveSearchFast() if mode == "fast" else search.switchToSelectiveSearchQuality()
    found = np.asarray(search.process(), dtype=np.int64).reshape(-1, 4)
    x, y, w, h = np.unique(found, axis=0).T
    order = np.lexsort((h, w, x, y, -w * h))
    boxes = np.stack([x / width, y / height, (x + w) / width, (y + h) / height], axis=1)
    return np.ascontiguousarray(boxes[order], dtype=np.float32)
