"""The proposal stage: the RPN learns boxes over cached maps; all else stands still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import Dataset

from deepret.benchmarks.proposals import recall
from deepret.data.loading import Loader
from deepret.data.sampler import Draw
from deepret.models.network import Network
from deepret.models.regions.rpn import RPN
from deepret.training.proposals.map_cache import Cached
from deepret.training.ranking import Steps, reseed

BOXES, OVERLAP = 32, 0.7
"""Proposals an image that recall is counted over, and their suppression: Faster R-CNN's, whatever the network sums."""


class Proposals(pl.LightningModule):
    """Trains the RPN of a network by its own losses.

    Of several processes the first one does it alone: over cached maps it takes minutes.

    Args:
        network: whose regions learn; everything else is frozen.
        steps: makes optimiser and schedule.
        about: what checkpoints say of themselves.
        seed: seed of the run's random numbers.
    """

    def __init__(self, network: Network, steps: Steps, about: dict[str, Any], seed: int = 0) -> None:
        super().__init__()
        self.network = network
        self.steps = steps
        self.about = about
        self.seed = seed
        network.requires_grad_(False)
        self.rpn.requires_grad_(True)

    @property
    def rpn(self) -> RPN:
        """What learns."""
        return cast(RPN, self.network.regions)

    def configure_optimizers(self) -> Any:
        """The optimiser of the RPN, and the schedule that follows each step."""
        optimizer, schedule = self.steps(self.rpn)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begins an epoch with random numbers that depend on (seed, epoch) only."""
        reseed(self.seed, self.current_epoch, 0, 2)

    def training_step(self, batch: tuple[Tensor, list[Tensor]], _: int) -> Tensor:
        """The RPN's losses on maps (B, C, H, W)."""
        maps, boxes = batch
        losses = self.rpn.loss(maps.float(), boxes)
        total = torch.stack(list(losses.values())).sum()
        self.log("loss", total.detach(), prog_bar=True, batch_size=len(maps))
        self.log_dict({name: value.detach() for name, value in losses.items()}, batch_size=len(maps))
        return total

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Lets the RPN say that it has learned something once it has taken a step."""
        if batch_idx == 0:
            self.rpn.is_trained.fill_(True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what the checkpoint says of itself."""
        checkpoint["deepret"] = self.about


class CachedMaps(Dataset[tuple[Tensor, Tensor]]):
    """Cached maps by the sampler's draws."""

    def __init__(self, cached: Cached) -> None:
        self.cached = cached

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        return self.cached.maps[draw.index], self.cached.boxes[draw.index]


def stacked(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, list[Tensor]]:
    """Maps of one shape → (B, C, H, W), and their boxes."""
    return torch.stack([maps for maps, _ in items]), [boxes for _, boxes in items]


def map_loader(cached: Cached, batches: Any) -> Loader[Any]:
    """A loader of (maps, boxes) over cached maps; they only need to be read, so it has no workers."""
    return Loader(CachedMaps(cached), workers=0, batch_sampler=batches, collate_fn=stacked)


def recall_on(cached: Cached) -> Callable[[Proposals], float]:
    """Scores a module by the share of boxes that its 32 best proposals find at IoU 0.7."""

    @torch.inference_mode()
    def score(module: Proposals) -> float:
        found = [proposals_of(module.rpn, maps.to(module.device), BOXES) for maps in cached.maps]
        return recall(found, cached.boxes)

    return score


@torch.inference_mode()
def proposals_of(rpn: RPN, maps: Tensor, top: int) -> Tensor:
    """The best proposals (n, 4), n ≤ top, on one image's maps (C, H, W), in cells, on the CPU."""
    return rpn.proposals(maps[None].float(), top, OVERLAP)[0].cpu()
