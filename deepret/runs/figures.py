"""A run's figures in a CSV file, which is always written and needs nobody's account."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from deepret.errors import UserError
from deepret.files import why
from deepret.runs.checkpoint import remedy, write_bytes

COLUMNS = ("stage", "epoch", "step", "name", "value")


class StageLog(Logger):
    """What takes the figures of one stage of a run, whose configuration is kept elsewhere.

    Args:
        stage: its name.
    """

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage = stage

    @property
    def name(self) -> str:
        """The stage."""
        return self.stage

    @property
    def version(self) -> str:
        """The run has its own."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The run has the configuration already."""


class CSVLog(StageLog):
    """Appends one line a figure to ``metrics.csv``: stage, epoch, step, name, value.

    Args:
        path: the file.
        stage: the stage whose figures are written.
        since: epoch and step that the stage goes on from; what it wrote of later ones before it was cut off is taken
            out.
    """

    def __init__(self, path: Path, stage: str, since: tuple[int, int] = (0, 0)) -> None:
        super().__init__(stage)
        self.path = path
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
                f"{self.path}: figures could not be written: {why(error)}; {remedy(self.path.parent)}"
            ) from error


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a ``metrics.csv`` that are whole; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values() and (row["epoch"] or "").isdigit()]
