"""Where a run's figures go: a CSV file always, Weights & Biases beside it."""

from __future__ import annotations

import csv
import io
import os
import shutil
import warnings
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from deepret.errors import UserError
from deepret.files import why
from deepret.training.checkpoint import write_bytes

COLUMNS = ("stage", "epoch", "step", "name", "value")


class CSVLog(Logger):
    """Appends one line a figure to ``metrics.csv``: stage, epoch, step, name, value.

    Args:
        path: the file.
        stage: the stage whose figures are written.
        since: epoch and step that the stage goes on from; what it wrote of later ones before it was cut off is taken
            out.
    """

    def __init__(self, path: Path, stage: str, since: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.path = path
        self.stage = stage
        self._take_out(since)

    @rank_zero_only
    def _take_out(self, since: tuple[int, int]) -> None:
        path, stage = self.path, self.stage
        kept = [row for row in read_csv(path) if row["stage"] != stage or (int(row["epoch"]), int(row["step"])) < since]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(kept)
        write_bytes(path, text.getvalue().encode())

    @property
    def name(self) -> str:
        """The stage."""
        return self.stage

    @property
    def version(self) -> str:
        """One file holds all."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The run's folder holds the configuration already."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends figures.

        Raises:
            UserError: the disk is full.
        """
        epoch = int(metrics.get("epoch", 0))
        rows = [(self.stage, epoch, step, name, f"{value:.7g}") for name, value in metrics.items() if name != "epoch"]
        try:
            with self.path.open("a", newline="") as file:
                csv.writer(file).writerows(rows)
        except OSError as error:
            raise UserError(
                f"{self.path}: figures could not be written: {why(error)}; the last good state is kept: mend this, "
                f"then go on with resume={self.path.parent}."
            ) from error


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a ``metrics.csv`` that are whole; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values() and (row["epoch"] or "").isdigit()]


class Logs:
    """Makes the loggers of a run.

    An offline run of W&B cannot be gone on with: of two files with one name, the later one to be sent takes the place
    of the first. So a run that was cut off writes its figures again from ``metrics.csv``, into one file that holds all.
    An online one goes on where W&B has it, and shows the steps that are done again twice, with the same values.

    Args:
        wandb: ``offline`` writes a W&B run that ``wandb sync`` sends later, without a key; ``online`` sends at once;
            ``disabled`` leaves W&B out.
        project: W&B's project.
        group: W&B's group of runs, or null.
        tags: W&B's tags.
    """

    def __init__(
        self,
        wandb: Literal["offline", "online", "disabled"] = "offline",
        project: str = "deepret",
        group: str | None = None,
        tags: list[str] = [],  # noqa: B006
    ) -> None:
        self.mode = wandb
        self.project = project
        self.group = group
        self.tags = list(tags)
        self._wandb: WandbLogger | None = None
        self._past: Path | None = None

    @rank_zero_only
    def open(self, folder: Path, config: dict[str, Any], run_id: str) -> None:
        """Opens the W&B run, or goes on with it; where W&B fails, says so once and goes on without."""
        if self.mode == "disabled":
            return
        try:
            import wandb

            earlier = list(folder.glob(f"wandb/offline-run-*-{run_id}"))
            wandb.setup(wandb.Settings(silent=True, console="off", mode=self.mode))
            self._wandb = WandbLogger(
                name=folder.name,
                id=os.environ.get("WANDB_RUN_ID", run_id),  # an agent of W&B's has named it
                save_dir=str(folder),
                project=self.project,
                group=self.group,
                tags=self.tags,
                offline=self.mode == "offline",
                resume="allow",
                config=config,
                settings=wandb.Settings(silent=True, console="off", init_timeout=30, mode=self.mode),
            )
            _ = self._wandb.experiment
            if self.mode == "offline":
                self._past = folder / "metrics.csv"
                now = Path(self._wandb.experiment.dir).resolve().parent
                for part in earlier:
                    if part.resolve() != now:
                        shutil.rmtree(part)
        except Exception as error:  # a log is never worth a training
            warnings.warn(f"W&B is left out: {error}. The figures are in {folder / 'metrics.csv'}.", stacklevel=1)
            self._wandb = None

    def loggers(self, folder: Path, stage: str, since: tuple[int, int] = (0, 0)) -> list[Logger]:
        """The loggers of one stage, which goes on from an epoch and a step."""
        csv_log = CSVLog(folder / "metrics.csv", stage, since)
        if self._wandb is None:
            return [csv_log]
        self._write_again()
        return [csv_log, WandbLogger(experiment=self._wandb.experiment, prefix=stage)]

    def _write_again(self) -> None:
        """Writes what the run has logged before it was cut off, once what is done again is out of the CSV file."""
        past, self._past = self._past, None
        if self._wandb is None or past is None:
            return
        try:
            for stage, logged in groupby(read_csv(past), itemgetter("stage")):
                logger = WandbLogger(experiment=self._wandb.experiment, prefix=stage)
                for (epoch, step), rows in groupby(logged, itemgetter("epoch", "step")):
                    figures = {row["name"]: float(row["value"]) for row in rows}
                    logger.log_metrics({**figures, "epoch": int(epoch)}, int(step))
        except Exception as error:  # a log is never worth a training
            warnings.warn(f"W&B lacks what was logged before the run was cut off: {error}.", stacklevel=1)

    def picture(self, name: str, path: Path) -> None:
        """Sends a picture to W&B, where it is on."""
        if self._wandb is not None:
            self._wandb.log_image(name, [str(path)])

    def summary(self, values: Mapping[str, Any]) -> None:
        """Keeps the last word of a run in W&B, where it is on."""
        if self._wandb is not None:
            self._write_again()
            self._wandb.experiment.summary.update(dict(values))

    def close(self) -> None:
        """Ends the W&B run, so that another one of the same process starts its own."""
        if self._wandb is not None:
            self._wandb.experiment.finish()
            self._wandb = None
