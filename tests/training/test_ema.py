from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deepret.training.ema import MovingAverage

DECAY, STEPS = 0.4, 3  # the ramp (1 + n) / (10 + n) passes .4 at the sixth step, so both of its parts are seen


class Small(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Linear(2, 1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        self.seen += 1
        return (self.network(batch) - 1).square().mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.3, momentum=0.9)


class Look(pl.Callback):
    """Writes down the weights that learn after each step, those at the ends of epochs, and saves between epochs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.learning: list[Tensor] = []
        self.scored: list[Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.learning.append(weights(pl_module))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.scored.append(weights(pl_module))
        trainer.save_checkpoint(self.folder / f"end{trainer.current_epoch}.ckpt")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        trainer.fit_loop.epoch_loop.batch_progress.reset_on_run()  # else the epoch counts as nearly over on going on
        trainer.save_checkpoint(self.folder / f"start{trainer.current_epoch}.ckpt")


def weights(module: Any) -> Tensor:
    return torch.cat([p.detach().clone().flatten() for p in module.network.parameters()])


def train(folder: Path, epochs: int, average: bool = True, resume: Path | None = None) -> tuple[Small, Look]:
    module, look = Small(), Look(folder)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[*([MovingAverage(DECAY)] if average else []), look],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    images = torch.randn(2 * STEPS, 2, generator=torch.Generator().manual_seed(1))
    trainer.fit(module, DataLoader(images, batch_size=2), ckpt_path=resume)
    return module, look


def slow_average(learning: list[Tensor]) -> list[Tensor]:
    """The average after each step, from the weights after each step."""
    found = [learning[0].double()]
    for step, w in enumerate(learning[1:], start=1):
        decay = min(DECAY, (1 + step) / (10 + step))
        found.append(decay * found[-1] + (1 - decay) * w.double())
    return found


pytestmark = pytest.mark.filterwarnings(
    "ignore:.*LeafSpec.*:FutureWarning"
)  # torch deprecated it, Lightning asks for it


def test_averages_and_lets_training_go_on_undisturbed(tmp_path: Path) -> None:
    module, look = train(tmp_path, 4)
    _, plain = train(tmp_path, 4, average=False)
    assert torch.equal(torch.stack(look.learning), torch.stack(plain.learning))
    averages = slow_average(look.learning)
    scored = torch.stack(look.scored).double()
    torch.testing.assert_close(scored, torch.stack(averages[STEPS - 1 :: STEPS]), rtol=1e-5, atol=1e-6)
    assert torch.equal(weights(module), look.scored[-1])
    assert not torch.allclose(weights(module), look.learning[-1], atol=1e-3)
    assert module.seen == 4 * STEPS


@pytest.mark.parametrize("where", ["start2", "end1"])
def test_goes_on_exactly_where_it_was_cut_off(tmp_path: Path, where: str) -> None:
    module, look = train(tmp_path / "whole", 4)
    train(tmp_path / "cut", 3)
    resumed, rest = train(tmp_path / "rest", 4, resume=tmp_path / "cut" / f"{where}.ckpt")
    assert torch.equal(torch.stack(rest.learning), torch.stack(look.learning[2 * STEPS :]))
    assert torch.equal(torch.stack(rest.scored[-2:]), torch.stack(look.scored[2:]))
    assert torch.equal(weights(resumed), weights(module))


@pytest.mark.parametrize("where", ["start2", "end1"])
def test_a_checkpoint_holds_the_average_as_its_weights(tmp_path: Path, where: str) -> None:
    _, look = train(tmp_path, 3)
    found = torch.load(tmp_path / f"{where}.ckpt", weights_only=True)
    for key, wanted in (("state_dict", look.scored[1]), ("current_model_state", look.learning[2 * STEPS - 1])):
        assert torch.equal(torch.cat([found[key][f"network.{n}"].flatten() for n in ("weight", "bias")]), wanted)
