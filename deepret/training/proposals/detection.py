"""The stage of detection: a detector learns on a trained RPN's proposals, over cached maps; all else stands still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from deepret.benchmarks.detection import voc2007
from deepret.models.detector.roi_heads import Detections, Detector
from deepret.models.network import Network
from deepret.models.regions.rpn import RPN
from deepret.training.proposals.map_cache import Cached
from deepret.training.ranking import Steps, reseed


class Detection(pl.LightningModule):
    """Trains a detector by its own losses, as the last step of Faster R-CNN's training in turns.

    Of several processes the first one does it alone: over cached maps it takes minutes.

    Args:
        network: whose RPN proposes; it is frozen.
        detector: what learns.
        steps: makes optimiser and schedule.
        about: what checkpoints say of themselves.
        seed: seed of the run's random numbers.
    """

    def __init__(
        self, network: Network, detector: Detector, steps: Steps, about: dict[str, Any], seed: int = 0
    ) -> None:
        super().__init__()
        self.network = network
        self.detector = detector
        self.steps = steps
        self.about = about
        self.seed = seed
        network.requires_grad_(False)

    def configure_optimizers(self) -> Any:
        """The optimiser of the detector, and the schedule that follows each step."""
        optimizer, schedule = self.steps(self.detector)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begins an epoch with random numbers that depend on (seed, epoch) only."""
        reseed(self.seed, self.current_epoch, 0, 3)

    def training_step(self, batch: tuple[Tensor, list[Tensor]], _: int) -> Tensor:
        """The detector's losses on maps (B, C, H, W)."""
        maps, boxes = batch
        with torch.autocast(maps.device.type, enabled=False):
            proposals = proposed(self.network, self.detector, maps)
            losses = self.detector.loss(maps, proposals, [own.to(maps.device) for own in boxes])
        total = torch.stack(list(losses.values())).sum()
        self.log("loss", total.detach(), prog_bar=True, batch_size=len(maps))
        self.log_dict({name: value.detach() for name, value in losses.items()}, batch_size=len(maps))
        return total

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what the checkpoint says of itself."""
        checkpoint["deepret"] = self.about


@torch.no_grad()
def proposed(network: Network, detector: Detector, maps: Tensor) -> list[Tensor]:
    """The proposals (n, 4) of each image that a detector looks at, in cells of the maps (B, C, H, W), best first."""
    rpn = cast(RPN, network.regions)
    boxes, _, image = rpn.proposals(maps, detector.top, detector.proposals_nms)
    return [boxes[image == i] for i in range(len(maps))]


@torch.inference_mode()
def detected(network: Network, detector: Detector, maps: Tensor) -> Detections:
    """What is detected on one image's maps (C, H, W), in cells, on the CPU."""
    maps = maps[None].float()
    boxes, scores = detector.detect(maps, proposed(network, detector, maps))[0]
    return Detections(boxes.cpu(), scores.cpu())


def precision_on(cached: Cached) -> Callable[[Detection], float]:
    """Scores a module by average precision at IoU 0.5, VOC 2007's."""

    def score(module: Detection) -> float:
        found = [detected(module.network, module.detector, maps.to(module.device)) for maps in cached.maps]
        return voc2007(found, [boxes.cpu() for boxes in cached.boxes])

    return score
