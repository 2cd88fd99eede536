"""How good detections are: average precision by VOC 2007's rule and by COCO's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

from deepret.errors import UserError
from deepret.models.detector.roi_heads import Detections

RECALLS = torch.linspace(0, 1, 11, dtype=torch.float64)
"""Where VOC 2007 reads the curve."""


def voc2007(found: Sequence[Detections], truth: Sequence[Tensor], overlap: float = 0.5) -> float:
    """Average precision of one class by VOC 2007's rule, 0…1; nan where there is no true box.

    Detections of all images are gone through, the best first. Each belongs to the true box of its image that it
    overlaps most: it is right where IoU ≥ ``overlap`` and no better one has taken that box, and wrong otherwise. With
    precision p(r) after each, AP = 1/11 Σ_{r ∈ {0, 0.1, …, 1}} max_{r' ≥ r} p(r').

    Args:
        found: of each image.
        truth: of each image its true boxes (k, 4).
        overlap: the least IoU.

    Paper: Everingham et al., "The PASCAL visual object classes challenge", IJCV 2010.
    """
    count = sum(map(len, truth))
    if not count:
        return float("nan")
    scores, right = [], []
    for (boxes, own), true in zip(found, truth, strict=True):
        taken: set[int] = set()
        for box in boxes[own.argsort(descending=True, stable=True)]:
            best, index = (box_iou(box[None], true)[0].max(0)) if len(true) else (torch.tensor(0.0), torch.tensor(0))
            hit = float(best) >= overlap and int(index) not in taken
            taken |= {int(index)} if hit else set()
            right.append(hit)
        scores.append(own.sort(descending=True, stable=True).values)
    order = torch.cat(scores).argsort(descending=True, stable=True)
    hits = torch.tensor(right, dtype=torch.float64)[order].cumsum(0)
    precision, recall = hits / torch.arange(1, len(hits) + 1), hits / count
    return (
        float(torch.stack([torch.where(recall >= r - 1e-12, precision, 0.0).max() for r in RECALLS]).mean())
        if len(hits)
        else 0.0
    )


def coco(found: Sequence[Detections], truth: Sequence[Tensor]) -> dict[str, float]:
    """COCO's figures for one class: ``mAP``, the mean over IoU 0.50, 0.55, …, 0.95, and ``mAP@0.5``, ``mAP@0.75``.

    By torchmetrics, over pycocotools.

    Args:
        found: of each image.
        truth: of each image its true boxes (k, 4).

    Raises:
        UserError: pycocotools is not installed.
    """
    try:
        from torchmetrics.detection import MeanAveragePrecision

        metric = MeanAveragePrecision(box_format="xyxy")
    except (ImportError, ModuleNotFoundError):
        raise UserError('detection: COCO\'s figures need pycocotools: pip install "deepret[coco]".') from None
    metric.warn_on_many_detections = False
    detected = [
        {"boxes": boxes, "scores": scores, "labels": scores.new_zeros(len(scores), dtype=torch.int64)}
        for boxes, scores in found
    ]
    metric.update(detected, [{"boxes": b, "labels": b.new_zeros(len(b), dtype=torch.int64)} for b in truth])
    values = metric.compute()
    return {"mAP": float(values["map"]), "mAP@0.5": float(values["map_50"]), "mAP@0.75": float(values["map_75"])}
