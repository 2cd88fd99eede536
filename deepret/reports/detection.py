"""How well a trained detector finds things, and what R-CNN, Fast and Faster R-CNN take for an image.

python -m deepret report detection checkpoint=RUN/4-detection/best.ckpt
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Literal, cast

import torch
from PIL import Image, ImageDraw
from pydantic import NonNegativeInt
from torch import Tensor
from tqdm import tqdm

from deepret.benchmarks.detection import coco, voc2007
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Photo, open_photo
from deepret.errors import UserError
from deepret.models.build import build_network, load_state
from deepret.models.detector.roi_heads import Detections, Detector
from deepret.models.detector.systems import SYSTEMS, Timed
from deepret.models.network import Network
from deepret.parts import build
from deepret.reports.command import command
from deepret.reports.gallery import GAP, PAPER, QUERY, RIGHT, save_png
from deepret.reports.table import table
from deepret.runs import checkpoint as checkpoints
from deepret.search.describe import evaluating
from deepret.training.proposals.detection import detected
from deepret.training.proposals.map_cache import cache_maps

PUBLISHED = {"R-CNN": (50.0, 66.0), "Fast R-CNN": (2.0, 66.9), "Faster R-CNN": (0.2, 66.9)}
"""Seconds an image with proposals, and mAP on VOC 2007, as the field's lectures put them side by side."""
DRAWN, SIDE = 8, 240


def detection(
    checkpoint: str,
    split: Literal["train", "val", "test"] = "test",
    timed: NonNegativeInt = 2,
    picture: str | None = None,
    workers: NonNegativeInt = 2,
) -> dict[str, Any]:
    """Scores a detector on images that it has not seen, and times the three systems on some of them.

    Average precision is of one class, by the rules of VOC 2007 (11 points, IoU 0.5) and of COCO. The three systems take
    turns at each image, with one backbone and one head, in one run on one machine: what they differ by is how often the
    backbone looks, and where proposals come from.

    Args:
        checkpoint: of the stage of detection.
        split: the images to look at; their data are the checkpoint's own.
        timed: images that are timed; 0 leaves that out.
        picture: where a picture of detections goes; ``detections.png`` beside the checkpoint by default.
        workers: processes that decode.

    Returns:
        what the last line prints: ``voc2007``, ``mAP``, ``mAP@0.5`` and ``mAP@0.75`` in 0…1, and ``seconds`` an image.

    Raises:
        UserError: a checkpoint without a detector; data without boxes.
    """
    network, detector, config = loaded(checkpoint)
    catalogue: Catalogue = build(config["data"], seed=config["seed"]).load()
    rows = [i for i, s in enumerate(catalogue.splits) if s == split and catalogue.boxes[i]]
    if not rows:
        raise UserError(f"{catalogue.root}: no photograph of split {split} has a box, so there is nothing to detect.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, detector = network.to(device).eval(), detector.to(device).eval()
    some = catalogue.subset(rows)
    maps = cache_maps(
        network,
        some,
        some.boxes,
        variants=1,
        seed=0,
        workers=workers,
        device=device,
        name=f"maps of {split}",
        folder=Path(tempfile.gettempdir()),
    )
    found = [detected(network, detector, own.to(device)) for own in maps.maps]
    scores = {
        "voc2007": voc2007(found, maps.boxes),
        **coco(*in_pixels(found, maps.boxes, cast(int, network.backbone.stride))),
    }
    print(f"{len(rows):,} images of {split} with {sum(map(len, maps.boxes)):,} objects of one class")
    print(table(["", "AP %"], [[name, 100 * value] for name, value in scores.items()]))
    seconds = {}
    if timed:
        photos = [some.photo(i) for i in range(min(timed, len(some)))]
        times = compared(network, detector, photos, device)
        print(f"\nseconds an image, {len(photos)} images, each system in turn")
        print(speeds(times))
        seconds = {name: round(mean(t.proposing + t.rest for t in each), 4) for name, each in times.items()}
    path = Path(picture).expanduser() if picture else Path(checkpoint).expanduser().parent / "detections.png"
    few = list(range(0, len(some), max(1, len(some) // DRAWN)))[:DRAWN]
    shares = [as_shares(found[i].boxes, maps.maps[i]) for i in few]
    save_png(drawn([some.photo(i) for i in few], shares, [found[i].scores for i in few]), path)
    print(f"picture: {path}")
    return {**{k: round(v, 4) for k, v in scores.items()}, "seconds": seconds, "split": split, "checkpoint": checkpoint}


def loaded(checkpoint: str) -> tuple[Network, Detector, dict[str, Any]]:
    """The network, the detector and the configuration of a checkpoint.

    Raises:
        UserError: it has no detector.
    """
    stored = checkpoints.load(checkpoint)
    config, state = stored["deepret"]["config"], checkpoints.detector_state(stored)
    if not state:
        raise UserError(
            f"checkpoint={checkpoint}: it has no detector: name RUN/4-detection/best.ckpt of a run with "
            f"experiment=faster_rcnn."
        )
    network = build_network(config, weights=False)
    load_state(network, checkpoints.network_state(stored), checkpoint)
    detector: Detector = build(config["detector"], channels=network.backbone.channels)
    detector.load_state_dict(state)
    return network, detector, config


def compared(
    network: Network, detector: Detector, photos: Sequence[Photo], device: torch.device
) -> dict[str, list[Timed]]:
    """What each system takes for each photograph, after one for nothing."""
    times: dict[str, list[Timed]] = {name: [] for name in SYSTEMS}
    with evaluating(network):
        for number, photo in enumerate([photos[0], *photos]):
            image = network.input.tensor(photo).to(device)
            for name, system in tqdm(SYSTEMS.items(), "systems", disable=None, leave=False):
                if number or name != "R-CNN":  # which takes long enough to need no warming up
                    once = system(network, detector, image)
                    times[name] += [once] if number else []
    return times


def speeds(times: dict[str, list[Timed]]) -> str:
    """The table of what each system takes, beside what is published."""
    quickest = mean(t.proposing + t.rest for t in times["Faster R-CNN"])
    lines: list[list[object]] = []
    for name, each in times.items():
        proposing, rest = mean(t.proposing for t in each), mean(t.rest for t in each)
        proposals = round(mean(t.proposals for t in each))
        total = proposing + rest
        lines.append([name, proposals, proposing, rest, total, total / quickest, *PUBLISHED[name]])
    header = ["", "proposals", "to propose", "the rest", "in all", "× Faster R-CNN", "published, s", "published, mAP %"]
    return table(header, lines)


def as_shares(boxes: Tensor, maps: Tensor) -> Tensor:
    """Boxes (n, 4) in cells of maps (C, H, W) as shares of the image's sides."""
    return boxes / torch.tensor([maps.shape[2], maps.shape[1]] * 2)


def in_pixels(
    found: Sequence[Detections], truth: Sequence[Tensor], stride: int
) -> tuple[list[Detections], list[Tensor]]:
    """Detections and true boxes in cells → in pixels of the network's input, of which COCO's rules know small ones."""
    return [Detections(stride * own.boxes, own.scores) for own in found], [stride * own for own in truth]


def drawn(photos: Sequence[Photo], boxes: Sequence[Tensor], scores: Sequence[Tensor], columns: int = 4) -> Image.Image:
    """Photographs with their detections: green where the score is 0.5 or more, blue under that."""
    pitch, lines = SIDE + GAP, -(-len(photos) // columns)
    sheet = Image.new("RGB", (GAP + pitch * min(columns, len(photos)), GAP + pitch * lines), PAPER)
    for number, (photo, own, score) in enumerate(zip(photos, boxes, scores, strict=True)):
        image = open_photo(photo.path, max_side=SIDE)
        image.thumbnail((SIDE, SIDE))
        pen = ImageDraw.Draw(image)
        for box, value in sorted(zip(own.tolist(), score.tolist(), strict=True), key=lambda pair: pair[1]):
            if value < 0.2:
                continue
            x0, y0, x1, y1 = (v * image.size[i % 2] for i, v in enumerate(box))
            colour = RIGHT if value >= 0.5 else QUERY
            pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour, width=2)
            pen.text((x0 + 4, y0 + 3), f"{value:.2f}", fill="white", stroke_width=2, stroke_fill="black")
        row, column = divmod(number, columns)
        sheet.paste(image, (GAP + column * pitch, GAP + row * pitch))
    return sheet


if __name__ == "__main__":
    command(f"{__spec__.name}.detection", "checkpoint=RUN/4-detection/best.ckpt")
