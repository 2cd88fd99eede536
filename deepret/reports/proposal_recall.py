"""How many buildings a trained RPN finds on images that it has not seen, beside boxes that are the same everywhere.

python -m deepret.reports.proposal_recall checkpoint=RUN/2-proposals/best.ckpt [split=test] [boxes=32] [overlap=0.7]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from deepret.benchmarks.proposals import best_fixed_boxes, recall
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.models.build import build_network, load_state
from deepret.models.regions.rpn import RPN
from deepret.parts import build
from deepret.reports.command import command
from deepret.reports.table import table
from deepret.runs import checkpoint as checkpoints
from deepret.training.proposals.map_cache import cache_maps
from deepret.training.proposals.stage import proposals_of

STEPS = (8, 16, 32, 64, 128)
"""Numbers of boxes for which the table has a line, besides the one that is asked for."""


def proposal_recall(
    checkpoint: str,
    split: Literal["train", "val", "test"] = "test",
    boxes: PositiveInt = 32,
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.7,
    workers: NonNegativeInt = 2,
) -> dict[str, Any]:
    """Prints the recall of a checkpoint's RPN on a split, and of fixed boxes chosen on the train split.

    Args:
        checkpoint: the second or third stage's.
        split: the images to look at; their data are the checkpoint's own.
        boxes: proposals an image.
        overlap: the IoU at which a building counts as found.
        workers: processes that decode.

    Returns:
        what the last line prints: ``recall``, ``fixed``, both 0…1, and what they were measured on.

    Raises:
        UserError: a checkpoint without a trained RPN; data without boxes.
    """
    found = checkpoints.load(checkpoint)
    config = found["deepret"]["config"]
    network = build_network(config, weights=False)
    load_state(network, checkpoints.network_state(found), checkpoint)
    rpn = network.regions
    if not isinstance(rpn, RPN) or not rpn.is_trained:
        raise UserError(
            f"checkpoint={checkpoint}: it has no trained RPN: name the second or third stage's of regions=rpn."
        )
    catalogue: Catalogue = build(config["data"], seed=config["seed"]).load()
    rows = [i for i, s in enumerate(catalogue.splits) if s == split and catalogue.boxes[i]]
    fixed = best_fixed_boxes(as_shares(catalogue, "train"), max(boxes, *STEPS), overlap)
    if not rows or not len(fixed):
        raise UserError(
            f"{catalogue.root}: there are no boxes to find: the splits {split} and train need some, in images.csv or "
            f"from the renderer."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    known = [catalogue.boxes[i] for i in rows]
    maps = cache_maps(
        network,
        catalogue.subset(rows),
        known,
        variants=1,
        seed=0,
        workers=workers,
        device=device,
        name=f"maps of {split}",
        folder=Path(tempfile.gettempdir()),
    )
    shares = as_shares(catalogue, split)
    lines: list[tuple[int, float, float]] = []
    for count in sorted({boxes, *STEPS}):
        learned = recall([proposals_of(rpn, m.to(device), count) for m in maps.maps], maps.boxes, overlap)
        lines.append((count, learned, recall([fixed[:count]] * len(shares), shares, overlap)))
    print(f"{len(rows):,} images of {split} with {sum(map(len, shares)):,} boxes, found at IoU {overlap}")
    print(table(["boxes", "proposals %", "fixed %"], [(n, 100 * a, 100 * b) for n, a, b in lines]))
    asked = next(line for line in lines if line[0] == boxes)
    return {
        "recall": round(asked[1], 4),
        "fixed": round(asked[2], 4),
        "boxes": boxes,
        "overlap": overlap,
        "split": split,
        "checkpoint": checkpoint,
    }


def as_shares(catalogue: Catalogue, split: str) -> list[Tensor]:
    """The boxes (k, 4) of each image of a split that has any, as shares of its sides."""
    return [
        torch.tensor(boxes) / torch.tensor([*size, *size])
        for boxes, size, s in zip(catalogue.boxes, catalogue.sizes, catalogue.splits, strict=True)
        if s == split and boxes
    ]


if __name__ == "__main__":
    command(f"{__spec__.name}.proposal_recall", "checkpoint=RUN/2-proposals/best.ckpt")
