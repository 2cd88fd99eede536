"""What a training says before it starts: what learns, on what, and for how long."""

from __future__ import annotations

import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from deepret.data.catalogue import SPLITS, Catalogue
from deepret.models.network import Network


def announcement(run: Path, catalogue: Catalogue, config: dict[str, Any]) -> str:
    """Where the run lies, what it learns from, and in which arithmetic."""
    counts = {split: catalogue.splits.count(split) for split in SPLITS}
    pairs = zip(catalogue.labels, catalogue.splits, strict=True)
    classes = len({label for label, split in pairs if split == "train"})
    images = ", ".join(f"{n:,} {split}" for split, n in counts.items() if n)
    return (
        f"run: {run}\n"
        f"images: {images}; {classes:,} classes to train on\n"
        f"precision: {config['trainer']['precision']}; evaluation in {config['evaluation_precision']}"
    )


def ranking_forecast(network: Network, epochs: int, steps: int, images: int, speed: float) -> str:
    """What learns in a ranking stage, what is frozen, on how many images, and about how long it takes.

    Args:
        network: as it will learn.
        epochs: of the stage.
        steps: batches an epoch.
        images: images a batch.
        speed: training images a second.
    """
    learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in network.parameters()) - learned
    statistics = "frozen too" if getattr(network.backbone, "freeze_batchnorm", False) else "learned"
    minutes = epochs * steps * images / speed / 60
    return (
        f"{learned / 1e6:.1f} M parameters learn, {frozen / 1e6:.1f} M are frozen, batch-norm statistics are "
        f"{statistics}; {epochs} epochs × {steps} steps × {images} images, about {minutes:.0f} min without scoring"
    )


def proposals_forecast(network: Network, epochs: int) -> str:
    """What learns in a proposal stage."""
    count = sum(p.numel() for p in network.regions.parameters())
    return f"the RPN learns ({count / 1e6:.1f} M parameters), all else is frozen; {epochs} epochs over cached maps"


def total_forecast(ranked: int, mapped: float, speed: float) -> str:
    """About how long all stages take, in a line: a map costs the forward pass alone, a third of what learning costs.

    Args:
        ranked: images of all steps of ranking.
        mapped: images whose maps the proposals learn on, each counted by its area in areas of a training image.
        speed: training images a second.
    """
    minutes = (ranked + mapped / 3) / speed / 60
    return f"all stages: about {minutes:.0f} min without scoring, and without the proposals' steps, which are cheap"


def images_per_second(network: Network, size: int, precision: str, images: int = 4) -> float:
    """Training images a second: the better of two passes, forward and backward, over a few random images.

    The network stays as it is, and so do the random numbers that follow: a copy is what learns the noise's statistics.

    Args:
        network: on the device that it will learn on.
        size: sides of the images in pixels.
        precision: Lightning's name for it.
        images: how many.
    """
    device = next(network.parameters()).device
    copy = deepcopy(network).train()
    took = float("inf")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        probe = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8, device=device)
        for _ in range(2):
            finish(device)
            began = time.perf_counter()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision.startswith("bf16")):
                copy(probe).vectors.float().sum().backward()
            finish(device)
            took = min(took, time.perf_counter() - began)
    return images / took


def finish(device: torch.device) -> None:
    """Waits for what a GPU has been given to do; without it, only the giving would be timed."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
