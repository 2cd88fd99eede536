"""What happens at the ends of epochs: scoring, keeping the best, saving the state, warning."""

from __future__ import annotations

import math
import resource
import signal
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from deepret.data.check import report
from deepret.distributed.ranks import world
from deepret.errors import UserError
from deepret.runs.checkpoint import save_network
from deepret.training.batches import Mining
from deepret.training.preemption import Preemption


class KeepBest(pl.Callback):
    """Scores the module after each epoch, keeps the best weights, and ends the stage when it no longer gets better.

    Args:
        score: a figure of the module, larger is better; None keeps the latest weights.
        path: where the best network is kept.
        every: epochs between two scores.
        patience: scores without a better one after which the stage ends.
        initial: whether the network is scored before its first step too, so that training can only gain.
    """

    def __init__(
        self,
        score: Callable[[Any], float] | None,
        path: Path,
        every: int = 1,
        patience: int | None = None,
        initial: bool = True,
        name: str = "val mAP",
    ) -> None:
        self.score = score
        self.path = path
        self.every = every
        self.patience = patience
        self.initial = initial
        self.name = name
        self.best = -math.inf
        self.best_epoch = -1
        self.worse = 0
        self._losses: list[float] = []

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Scores a network that has not taken a step yet."""
        if self.initial and self.best_epoch < 0 and trainer.current_epoch == 0:
            self._look(trainer, module, 0)

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Remembers the step's loss."""
        self._losses.append(float(outputs["loss"]))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Scores, and keeps what is better; an epoch without a batch had nothing left to learn from."""
        done = trainer.current_epoch + 1
        if not self._losses:
            print(f"  epoch {done} of {trainer.max_epochs}: no triplet with a loss: the stage ends", flush=True)
            trainer.should_stop = True
            if trainer.current_epoch % self.every:  # the epochs before it are not scored yet
                self._look(trainer, module, trainer.current_epoch)
            return
        loss = sum(self._losses) / max(len(self._losses), 1)
        speed = trainer.callback_metrics.get("images/s")
        line = f"loss {loss:.3g}" + ("" if speed is None else f", {float(speed):.3g} images/s")
        print(f"  epoch {done} of {trainer.max_epochs}: {line}", flush=True)
        self._losses.clear()
        if done % self.every == 0 or done == trainer.max_epochs:
            self._look(trainer, module, done)

    def _look(self, trainer: pl.Trainer, module: Any, epoch: int) -> None:
        value = None if self.score is None else self.score(module)
        value = trainer.strategy.broadcast(value)  # all processes decide alike
        if value is not None:
            for logger in trainer.loggers:
                logger.log_metrics({self.name: value, "epoch": max(epoch - 1, 0)}, step=trainer.global_step)
            print(f"  {self.name} {value:.4f}" + (" before the first step" if epoch == 0 else ""), flush=True)
        if value is None or value > self.best:
            self.best, self.best_epoch, self.worse = -math.inf if value is None else value, epoch, 0
            if trainer.is_global_zero:
                about = {**module.about, "score": value, "epoch": epoch}
                save_network(module.network, about, self.path, getattr(module, "detector", None))
        else:
            self.worse += 1
            if self.patience is not None and self.worse >= self.patience:
                print(f"  {self.name} has not risen for {self.worse} scores: the stage ends", flush=True)
                trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to know."""
        kept = {"best": self.best, "best_epoch": self.best_epoch, "worse": self.worse}
        return {**kept, "losses": list(self._losses)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the run was cut off."""
        self.best, self.best_epoch, self.worse = state["best"], state["best_epoch"], state["worse"]
        self._losses = list(state["losses"])


class Hear(pl.Callback):
    """Hears the signals that Lightning has put itself before: it would end the fit without a state, or hang.

    Comes before all that takes time.

    Args:
        preemption: hears whether the run is to end.
    """

    def __init__(self, preemption: Preemption) -> None:
        self.preemption = preemption

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """A stage begins."""
        self.preemption.listen()


class SaveState(pl.Callback):
    """Saves the whole state between two steps, where nothing is under way, so that a resumed run is the same run.

    It does between epochs, every so many steps within one, and when the run is asked to end. Lightning is told that the
    epoch begins; ``skip`` says how many of its batches have been seen already.

    Args:
        path: the file, replaced whole.
        preemption: hears whether the run is to end.
        every: steps within an epoch between two saves; None for none.
        within: whether a state within an epoch can be gone on from; without it the epoch begins again.

    Raises:
        Preempted: the run was asked to end.
    """

    def __init__(self, path: Path, preemption: Preemption, every: int | None = None, within: bool = True) -> None:
        self.path = path
        self.preemption = preemption
        self.every = every
        self.within = within
        self._epoch, self._seen, self._before = 0, 0, 0

    def skip(self, epoch: int) -> int:
        """How many batches of an epoch were seen before the run was cut off."""
        return self._before if epoch == self._epoch else 0

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """From here on, what asks the run to end waits for a step to end."""
        self.preemption.patient = True

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        """A stage has ended."""
        self.preemption.patient = False

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        """A stage was cut off."""
        self.preemption.patient = False

    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Saves what the epoch before left behind."""
        if trainer.current_epoch != self._epoch:
            self._epoch, self._before = trainer.current_epoch, 0
        self._seen = self._before
        if self._epoch > 0 and not self._seen:
            self._save(trainer)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        """Saves where it is time to, or the run is to end."""
        self._seen = self._before + batch_idx
        ends = self.preemption.asked is not None
        if world() > 1 and trainer.world_size > 1:  # one of them may have heard it first
            ends = trainer.strategy.reduce_boolean_decision(ends, all=False)
        due = self.every is not None and self._seen % self.every == 0
        if batch_idx > 0 and self.within and (due or ends):
            self._save(trainer)
        if ends:
            self.preemption.asked = self.preemption.asked or signal.SIGTERM
            self.preemption.end()

    def _save(self, trainer: pl.Trainer) -> None:
        """Saves, with Lightning's counts as they are between an epoch's beginning and its first batch.

        It sets the batches back only when that one comes: saved as they are, it would skip the whole epoch.
        """
        epochs, batches = trainer.fit_loop.epoch_progress, trainer.fit_loop.epoch_loop.batch_progress
        kept = deepcopy((epochs.state_dict(), batches.state_dict()))
        for count in (epochs.total, epochs.current):
            count.started = count.completed  # type: ignore[attr-defined]
        batches.total.reset_on_restart()
        batches.reset_on_run()
        try:
            trainer.save_checkpoint(self.path)
        finally:
            epochs.load_state_dict(kept[0])
            batches.load_state_dict(kept[1])

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to know."""
        return {"epoch": self._epoch, "seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the run was cut off."""
        self._epoch, self._before = state["epoch"], state["seen"]


class KeepMined(pl.Callback):
    """Makes the mined triplets part of the saved state.

    Args:
        mining: what mines them.
    """

    def __init__(self, mining: Mining) -> None:
        self.mining = mining

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to know."""
        return self.mining.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the run was cut off."""
        self.mining.load_state_dict(state)


class Watch(pl.Callback):
    """Warns once when the codes collapse into one, ends a training that has diverged, and logs the memory in use.

    Args:
        stage: its name, for the messages.
        mend: what keeps it from diverging.
        spread: 1 − ‖mean code‖² of a batch below which the codes count as collapsed.

    Raises:
        UserError: the loss is no number.
    """

    def __init__(self, stage: str, mend: str, spread: float = 0.02) -> None:
        self.stage = stage
        self.mend = mend
        self.spread = spread
        self.warned = False

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Looks at what the step gave."""
        where = f"{self.stage}, step {trainer.global_step}"
        if not math.isfinite(outputs["loss"]):
            raise UserError(
                f"{where}: the loss is no number: the weights have diverged. Start again with {self.mend}; resuming "
                f"would repeat it."
            )
        spread = float(trainer.callback_metrics.get("spread", 1.0))
        if not self.warned and spread < self.spread:
            self.warned = True
            report(
                f"{where}: all codes have nearly collapsed into one (spread {spread:.3f}): lower optimizer.lr or take "
                f"mining=semi_hard."
            )
        module.log("memory GB", memory_gb(module.device))


def memory_gb(device: torch.device) -> float:
    """The most memory this process has held, in GB: the GPU's, or resident memory on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
