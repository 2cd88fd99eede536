"""What a training says before it starts: what learns, on what, and for how long."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from deepret.data.catalogue import SPLITS, Catalogue
from deepret.distributed.ranks import world
from deepret.models.build import build_network, supplied_by
from deepret.models.network import Network
from deepret.models.regions.rpn import RPN
from deepret.models.types import Given
from deepret.parts import build
from deepret.training.learning import freeze
from deepret.training.plan import FIRST, Stage
from deepret.training.proposals.map_cache import MAPS_A_BATCH
from deepret.training.settings import BatchSettings, StageSettings, check_steps

if TYPE_CHECKING:
    from deepret.models.backbone.base import Backbone


def announcement(run: Path, catalogue: Catalogue, config: dict[str, Any], device: torch.device) -> str:
    """Where the run lies, what it learns from, in which arithmetic, and on what."""
    counts = {split: catalogue.splits.count(split) for split in SPLITS}
    pairs = zip(catalogue.labels, catalogue.splits, strict=True)
    classes = len({label for label, split in pairs if split == "train" and label})
    images = ", ".join(f"{n:,} {split}" for split, n in counts.items() if n)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    return (
        f"run: {run}\n"
        f"images: {images}; {classes:,} classes to train on\n"
        f"precision: {config['trainer']['precision']}; evaluation in {config['evaluation_precision']}\n"
        f"computing: {world()} {'process' if world() == 1 else 'processes'} on {where}"
    )


class Forecast:
    """What stages will do, and about how long they take on this machine.

    Args:
        config: the resolved configuration.
        catalogue: the photographs.
        device: where the network will learn.
    """

    def __init__(self, config: dict[str, Any], catalogue: Catalogue, device: torch.device) -> None:
        self.config = config
        self.catalogue = catalogue
        self.device = device
        self.batch: BatchSettings = build(config["batch"])
        self.stages: StageSettings = build(config["stages"])

    def outline(self, stages: Sequence[Stage]) -> str:
        """What each stage will do, a line each, and about how long they take together; nothing is fitted for it."""
        lines, network, of_first = [], None, None
        for stage in stages:
            if network is None or stage.first_regions != of_first:
                regions = self.config["first_regions"] if stage.first_regions else None
                network, of_first = build_network(self.config, weights=False, regions=regions), stage.first_regions
            freeze(network, stage, self.config)
            lines.append(f"{stage.name}: {self.of(stage, network)}")
        if network is not None:
            lines.append(self.of_all(stages, network))
        return "\n".join(lines)

    def of(self, stage: Stage, network: Network) -> str:
        """What one stage will do."""
        if stage.epochs == 0:
            return "no epochs, so the network stays as it is"
        if stage.kind == "proposals":
            return proposals_forecast(network, stage.epochs)
        if stage.kind == "detection":
            return detection_forecast(build(self.config["detector"], channels=network.backbone.channels), stage.epochs)
        return ranking_forecast(network, stage.epochs, self.steps(), self.batch.images)

    def of_all(self, stages: Sequence[Stage], network: Network) -> str:
        """How long all stages will take."""
        rankings = [stage.epochs for stage in stages if stage.kind == "ranking"]
        learned = sum(rankings) * self.steps() * self.batch.images
        area = (network.input.size / self.batch.size) ** 2
        rows = zip(self.catalogue.splits, self.catalogue.views, strict=True)
        maps = self.stages.map_variants * sum(split == "train" and not view for split, view in rows)
        steps = math.ceil(maps / MAPS_A_BATCH) * sum(stage.epochs for stage in stages if stage.kind != "ranking")
        own = steps * self.proposal_step(network) if steps else 0.0
        described = area * (maps * world() + self.described(rankings))
        return total_forecast(learned, described, self.speed(network), own)

    def described(self, rankings: Sequence[int]) -> int:
        """Photographs that are described for a score: val at the start and now and then, all others after each stage.

        Args:
            rankings: epochs of each ranking stage.
        """
        counts = Counter(self.catalogue.splits)
        scores = sum(1 + math.ceil(epochs / self.stages.validate_every) for epochs in rankings if epochs)
        last = sum(counts[split] for split in ("test", "query", "gallery", "distractor"))
        return scores * counts["val"] + len(rankings) * last

    def steps(self) -> int:
        """Batches an epoch of ranking."""
        return check_steps(self.stages, FIRST, self.config["trainer"].get("limit_train_batches"))

    def proposal_step(self, network: Network) -> float:
        """Seconds that the RPN takes over a batch of maps, in one process."""
        backbone = cast("Backbone", network.backbone)
        with torch.random.fork_rng(devices=[]):
            rpn = build(self.config["regions"], **supplied_by(backbone)).to(self.device)
        return rpn_step_seconds(rpn, backbone.channels, max(1, network.input.size // backbone.stride), self.device)

    def speed(self, network: Network) -> float:
        """Training images a second, over all processes."""
        precision = str(self.config["trainer"]["precision"])
        return world() * images_per_second(network.to(self.device), self.batch.size, precision)


def ranking_forecast(network: Network, epochs: int, steps: int, images: int) -> str:
    """What learns in a ranking stage, what is frozen, and on how many images.

    Args:
        network: as it will learn.
        epochs: of the stage.
        steps: batches an epoch.
        images: images a batch.
    """
    learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in network.parameters()) - learned
    still = getattr(network.backbone, "freeze_batchnorm", False)
    statistics = "frozen too" if still or not any(p.requires_grad for p in network.backbone.parameters()) else "learned"
    return (
        f"{learned / 1e6:.1f} M parameters learn, {frozen / 1e6:.1f} M are frozen, batch-norm statistics are "
        f"{statistics}; {epochs} epochs × {steps} steps × {images} images"
    )


def proposals_forecast(network: Network, epochs: int) -> str:
    """What learns in a proposal stage."""
    count = sum(p.numel() for p in network.regions.parameters())
    return f"the RPN learns ({count / 1e6:.1f} M parameters), all else is frozen; {epochs} epochs over cached maps"


def detection_forecast(detector: nn.Module, epochs: int) -> str:
    """What learns in a stage of detection."""
    count = sum(p.numel() for p in detector.parameters())
    return f"a detector learns ({count / 1e6:.1f} M parameters), all else is frozen; {epochs} epochs over cached maps"


def total_forecast(ranked: int, mapped: float, speed: float, proposals: float) -> str:
    """About how long all stages take, in a line: a map costs the forward pass alone, a third of what learning costs.

    Args:
        ranked: images of all steps of ranking.
        mapped: images that are described, or whose maps the proposals learn on, each counted by its area in areas of a
            training image.
        speed: training images a second.
        proposals: seconds of the proposals' own steps.
    """
    minutes = ((ranked + mapped / 3) / speed + proposals) / 60
    about = "under a minute" if minutes < 0.75 else f"about {minutes:.0f} min"
    return f"in all {about}, with what is described for scores"


def images_per_second(network: Network, size: int, precision: str, images: int = 4) -> float:
    """Training images a second: the better of two passes of the backbone, forward and backward, over random images.

    The rest takes little, and need not be fitted or trained yet. Where nothing of it learns there is no backward pass.

    The network stays as it is, and so do the random numbers that follow: a copy is what learns the noise's statistics.

    Args:
        network: on the device that it will learn on.
        size: sides of the images in pixels.
        precision: Lightning's name for it.
        images: how many.
    """
    device = network.input.mean.device
    copy = deepcopy(network).train()

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision.startswith("bf16")):
            found: Given = copy.backbone(copy.input(probe))
            if isinstance(found, Tensor) and found.requires_grad:
                cast("Any", found.float().sum()).backward()

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        probe = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8, device=device)
        return images / seconds(step, device)


def rpn_step_seconds(rpn: RPN, channels: int, cells: int, device: torch.device) -> float:
    """Seconds of a step, forward and backward, of an RPN that is used for nothing else.

    Args:
        rpn: on the device that it will learn on.
        channels: of the maps.
        cells: along the sides of a map.
        device: the device.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        maps = torch.rand(MAPS_A_BATCH, channels, cells, cells, device=device)
        boxes = [torch.tensor([[0.0, 0.0, cells / 2, cells / 2]], device=device)] * len(maps)

        def step() -> None:
            cast("Any", torch.stack(list(rpn.train().loss(maps, boxes).values())).sum()).backward()

        return seconds(step, device)


def seconds(step: Callable[[], object], device: torch.device) -> float:
    """How long a step takes: the better of two."""
    took = float("inf")
    for _ in range(2):
        finish(device)
        began = time.perf_counter()
        step()
        finish(device)
        took = min(took, time.perf_counter() - began)
    return took


def finish(device: torch.device) -> None:
    """Waits for what a GPU has been given to do; without it, only the giving would be timed."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
