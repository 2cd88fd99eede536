"""A moving average of the weights, which is what is scored and kept."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Keeps an exponential moving average of the weights, in whose place training goes on undisturbed.

    w̄ ← d_n w̄ + (1 − d_n) w after step n, d_n = min(d, (1 + n) / (10 + n)), so that a short stage does not end near
    where it began. Buffers are the latest. Lightning keeps, saves and restores the average; its own exchange of weights
    happens around a validation loop, so this one lays the average into the module at each epoch's end, for whoever
    scores or keeps it there, and takes it out before the next epoch begins. After the last one it stays in.

    Comes before callbacks that score, keep or save, since callbacks are called in order.

    Args:
        decay: d, in 0…1; 0.99 remembers about the last 100 steps.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, steps: Tensor) -> Tensor:
            return averaged + (current - averaged) * (1 - ((1 + steps) / (10 + steps)).clamp(max=decay))

        super().__init__(use_buffers=False, avg_fn=average)
        self._inside = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lays the average into the module."""
        super().on_train_epoch_end(trainer, pl_module)
        self._exchange(pl_module, True)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Goes on with the weights that learn."""
        self._exchange(pl_module, False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leaves the average in the module."""
        self._exchange(pl_module, True)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the average as the weights, and beside it the weights that learn."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._inside:
            learning, average = checkpoint["state_dict"], checkpoint["current_model_state"]
            checkpoint["state_dict"], checkpoint["current_model_state"] = average, learning

    def _exchange(self, module: pl.LightningModule, inside: bool) -> None:
        if self._inside != inside:
            self._swap_models(module)
            self._inside = inside
