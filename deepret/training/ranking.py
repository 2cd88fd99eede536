"""The ranking stage: a network, a loss and a choice of pairs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.data.loading import Batch
from deepret.distributed.ranks import gather
from deepret.losses.triplet import squared_distances
from deepret.models.network import Network
from deepret.training.memory import recomputed
from deepret.training.proposals.joint import BoxBatch, joint_losses

Steps = Callable[[nn.Module], tuple[torch.optim.Optimizer, Any]]
"""Makes the optimiser and the schedule of a module's parameters."""


def reseed(*parts: int) -> None:
    """Seeds torch's random numbers from whole numbers, so that what follows is the same wherever a run begins it."""
    seed = 0
    for part in parts:
        seed = (seed * 1_000_003 + part + 1) % 2**63
    torch.manual_seed(seed)


class Ranking(pl.LightningModule):
    """Trains a network to rank: images of a class nearer to each other than to all others.

    The codes of all ranks are gathered with their gradient, so every rank computes the loss of the whole batch, in
    float32.

    Args:
        network: the network that learns.
        loss: anchors (A, D), references (M, D), positives and negatives (A, M), labels (A,) → scalar.
        miner: picks the pairs that count.
        references: codes and labels of the batch → those that its images are compared with, the batch's first.
        steps: makes optimiser and schedule.
        about: what checkpoints say of themselves.
        seed: seed of the run's random numbers.
        microbatch: images whose activations are in memory at a time; None for the whole batch's.
    """

    def __init__(
        self,
        network: Network,
        loss: nn.Module,
        miner: Any,
        references: nn.Module,
        steps: Steps,
        about: dict[str, Any],
        seed: int = 0,
        microbatch: int | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.miner = miner
        self.references = references
        self.steps = steps
        self.about = about
        self.seed = seed
        self.microbatch = microbatch
        self._since, self._seen = 0.0, 0

    def configure_optimizers(self) -> Any:
        """The optimiser, and the schedule that follows each step."""
        optimizer, schedule = self.steps(self)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begins to count images."""
        self._since, self._seen = time.perf_counter(), 0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Begins a step with random numbers that depend on (seed, step, rank) only, wherever a run is gone on with."""
        reseed(self.seed, self.global_step, self.global_rank)

    def codes(self, batch: Batch) -> Tensor:
        """The codes (b, D) of a batch in several one-shape parts, in the sampler's order."""
        if self.microbatch is None:
            return torch.cat([self._describe(part) for part in batch.parts])[batch.order]
        small = [images for part in batch.parts for images in torch.split(part, self.microbatch)]
        learning = [p for p in self.network.parameters() if p.requires_grad]
        return recomputed(self._describe, small, learning)[batch.order]

    def _describe(self, images: Tensor) -> Tensor:
        found: Tensor = self.network(images).vectors
        return found

    def training_step(self, batch: Batch | dict[str, Any], _: int) -> Tensor:
        """The ranking loss, and the RPN's where images with boxes come beside the batch."""
        if isinstance(batch, Batch):
            return self.ranking_loss(batch)
        losses = joint_losses(self.network, batch["boxes"])
        self.log_dict({name: value.detach() for name, value in losses.items()})
        return self.ranking_loss(batch["ranking"]) + torch.stack(list(losses.values())).sum()

    def ranking_loss(self, batch: Batch) -> Tensor:
        """The loss of the whole batch, over all ranks."""
        codes = gather(self.codes(batch).float())
        labels = gather(batch.labels)
        references, names = self.references(codes, labels)
        same = labels[:, None] == names
        itself = torch.eye(*same.shape, dtype=torch.bool, device=labels.device)
        others = same & ~itself
        rows, positives, negatives = self.miner.select(codes, references, others, ~same)
        loss: Tensor = self.loss(codes[rows], references, positives, negatives, labels[rows])
        self.log("loss", loss.detach(), prog_bar=True)
        alike, unlike = others[:, : len(labels)], ~same[:, : len(labels)]  # figures are the batch's own
        self.log_dict(pair_figures(codes.detach(), alike, unlike))
        statistics = getattr(self.loss, "statistics", None)
        if statistics is not None:  # of the whole batch: of what was mined, nearly all has a loss
            self.log_dict(statistics(codes.detach(), codes.detach(), alike, unlike, labels))
        self._seen += len(labels)
        self.log("images/s", self._seen / (time.perf_counter() - self._since), prog_bar=True)
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what the checkpoint says of itself."""
        checkpoint["deepret"] = self.about

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Moves a batch's images and numbers."""
        if isinstance(batch, dict):
            return {k: self.transfer_batch_to_device(b, device, dataloader_idx) for k, b in batch.items()}
        if isinstance(batch, BoxBatch):
            return batch.to(device)
        return Batch(
            [part.to(device, non_blocking=True) for part in batch.parts],
            batch.order.to(device),
            batch.index.to(device),
            batch.labels.to(device),
        )


def pair_figures(codes: Tensor, positives: Tensor, negatives: Tensor) -> dict[str, Tensor]:
    """Mean Euclidean distance of the positive and of the negative pairs of codes (A, D), and how spread the codes are.

    The spread is 1 − ‖mean direction‖²: 1 where the codes point everywhere, 0 where all have collapsed into one.
    """
    distances = squared_distances(codes, codes).sqrt()
    return {
        "distance of positives": distances[positives].mean() if positives.any() else distances.new_zeros(()),
        "distance of negatives": distances[negatives].mean() if negatives.any() else distances.new_zeros(()),
        "spread": 1 - F.normalize(codes, dim=1).mean(dim=0).square().sum(),
    }
