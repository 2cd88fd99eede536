"""A W&B run that was cut off is gone on with as one run that holds every figure once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from wandb_file import history, run_id

from deepret.training.logs import Logs, read_csv


def trained(folder: Path, epochs: range, value: float, cut: bool) -> None:
    """Two steps an epoch of one stage; where it is cut off, the file is left as it is at that moment."""
    logs = Logs()
    logs.open(folder, {"seed": 0}, "one")
    loggers = logs.loggers(folder, "1-ranking", (epochs.start, 2 * epochs.start))
    for epoch in epochs:
        for step in (2 * epoch, 2 * epoch + 1):
            for logger in loggers:
                logger.log_metrics({"loss": value + step, "epoch": epoch}, step)
    if not cut:
        logs.summary({"mAP": 0.5})
    logs.close()


@pytest.mark.slow
def test_a_run_that_goes_on_is_one_run(tmp_path: Path) -> None:
    trained(tmp_path, range(3), 10.0, cut=True)  # the third epoch is done again
    trained(tmp_path, range(2, 4), 20.0, cut=False)
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert run_id(file) == "one"
    loss = {int(row["step"]): float(row["value"]) for row in read_csv(tmp_path / "metrics.csv")}
    assert loss == {step: (10 if step < 4 else 20) + step for step in range(8)}
    sent = history(file)
    assert [row["1-ranking-loss"] for row in sent] == [loss[step] for step in range(8)]
    assert Counter(row["trainer/global_step"] for row in sent) == Counter(range(8))


@pytest.mark.slow
def test_a_run_that_was_cut_off_after_its_last_stage_keeps_its_figures(tmp_path: Path) -> None:
    trained(tmp_path, range(2), 0.0, cut=True)
    logs = Logs()
    logs.open(tmp_path, {}, "one")
    logs.summary({"mAP": 0.5})
    logs.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert [row["1-ranking-loss"] for row in history(file)] == [0, 1, 2, 3]
