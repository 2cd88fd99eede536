from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from deepret.training.callbacks import KeepBest


def told(scores: list[float], path: Path, **settings: Any) -> tuple[KeepBest, list[int], int]:
    """Runs epochs that are scored so: the callback, the epochs whose network was kept, and how many were run."""
    given = iter(scores)
    keep = KeepBest(lambda _: next(given), path, **settings)
    network = nn.Linear(1, 1)
    module = SimpleNamespace(network=network, about={})
    trainer = SimpleNamespace(
        current_epoch=0,
        max_epochs=100,
        should_stop=False,
        callback_metrics={},
        loggers=[],
        global_step=0,
        is_global_zero=True,
        strategy=SimpleNamespace(broadcast=lambda value: value),
    )
    kept: list[int] = []

    def look() -> None:
        if path.is_file() and (not kept or torch.load(path)["deepret"]["epoch"] != kept[-1]):
            kept.append(torch.load(path)["deepret"]["epoch"])

    keep.on_train_start(trainer, module)  # type: ignore[arg-type]
    look()
    while not trainer.should_stop:
        try:
            keep.on_train_batch_end(trainer, module, {"loss": torch.tensor(1.0)}, None, 0)  # type: ignore[arg-type]
            keep.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
        except StopIteration:
            break
        trainer.current_epoch += 1
        look()
    return keep, kept, trainer.current_epoch


def test_the_first_of_equal_scores_is_kept(tmp_path: Path) -> None:
    keep, kept, epochs = told([0.5, 0.4, 0.6, 0.6, 0.5, 0.7], tmp_path / "best.ckpt")
    assert kept == [0, 2, 5]  # 0: before the first step
    assert (keep.best, keep.best_epoch, epochs) == (0.7, 5, 5)


@pytest.mark.parametrize(("patience", "epochs"), [(1, 2), (2, 5), (3, 6)])
def test_patience_is_the_scores_without_a_better_one(tmp_path: Path, patience: int, epochs: int) -> None:
    scores = [0.5, 0.6, 0.6, 0.7, 0.6, 0.7, 0.6]  # the first of them before the first step
    assert told(scores, tmp_path / "best.ckpt", patience=patience)[2] == epochs


def test_every_second_epoch_is_scored(tmp_path: Path) -> None:
    keep, kept, _ = told([0.5, 0.6, 0.7], tmp_path / "best.ckpt", every=2, initial=False)
    assert kept == [2, 4, 6]
    assert keep.best_epoch == 6
