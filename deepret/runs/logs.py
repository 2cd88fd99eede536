"""Where a run's figures go: a CSV file always, Weights & Biases beside it."""

from __future__ import annotations

import os
import shutil
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from deepret.runs.figures import CSVLog, StageLog, read_csv

MEETING = 30.0
"""Seconds that a run waits for W&B to answer at its beginning."""
PATIENCE = 120.0
"""Seconds that a run waits for W&B to take its last figures."""
HURRY = 8.0
"""Seconds where others, or a scheduler, wait for the run."""
STEP = "trainer/global_step"
"""What W&B draws figures over, by Lightning's name for it."""


class WandbFigures(StageLog):
    """Sends a stage's figures to W&B, each under the stage's name, for as long as it takes them.

    Args:
        send: does something with W&B's run, where there is one.
        stage: what W&B shows the figures together by.
    """

    def __init__(self, send: Callable[[Callable[[Any], object]], object], stage: str) -> None:
        super().__init__(stage)
        self.send = send

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends figures."""
        named = {f"{self.stage}/{name}": value for name, value in metrics.items()}
        self.send(lambda run: run.log({**named, STEP: step}))


class Logs:
    """Makes the loggers of a run.

    An offline run of W&B cannot be gone on with: of two files with one name, the later one to be sent takes the place
    of the first. So a run that was cut off writes its figures again from ``metrics.csv``, into one file that holds all,
    or to W&B where it is online now. One that was online goes on where W&B has it, and shows the steps that are done
    again twice, with the same values.

    Where W&B cannot be reached, or refuses the key, an online run becomes an offline one, and where it fails later it
    is left out from there on: each is said once, and no training ends for it.

    Args:
        wandb: ``offline`` writes a W&B run that ``wandb sync`` sends later, without a key; ``online`` sends at once;
            ``disabled`` leaves W&B out.
        project: W&B's project.
        group: W&B's group of runs, or null.
        tags: W&B's tags.
        models: whether the last network and the list of the photographs that it learned from become artifacts of W&B.
    """

    def __init__(
        self,
        wandb: Literal["offline", "online", "disabled"] = "offline",
        project: str = "deepret",
        group: str | None = None,
        tags: list[str] = [],  # noqa: B006
        models: bool = True,
    ) -> None:
        self.mode = wandb
        self.project = project
        self.group = group
        self.tags = list(tags)
        self.models = models
        self._run: Any = None
        self._parts: list[Path] = []
        self._again = False
        self._figures = self._kept = Path("metrics.csv")

    @rank_zero_only
    def open(self, folder: Path, config: dict[str, Any], run_id: str, kept: str = "metrics.csv") -> None:
        """Opens the W&B run, or goes on with it; offline where it cannot be online.

        Args:
            folder: the run's.
            config: what W&B shows as its configuration.
            run_id: what W&B knows it by.
            kept: the file in the folder that has all figures, whatever becomes of W&B.
        """
        self._figures, self._kept = folder / "metrics.csv", folder / kept
        if self.mode == "disabled":
            return
        try:
            self._open(folder, config, run_id)
            return
        except Exception as error:  # a log is never worth a training
            said = " ".join(str(error).split()) or type(error).__name__
            _part()
        if self.mode == "online":
            self.mode = "offline"
            warnings.warn(
                f"W&B cannot be reached ({said}): this run is written offline; it is sent later by wandb sync "
                f"{folder}/wandb/offline-run-*",
                stacklevel=1,
            )
            self.open(folder, config, run_id, kept)
        else:
            warnings.warn(f"W&B is left out ({said}): the figures are in {self._kept}.", stacklevel=1)

    def _open(self, folder: Path, config: dict[str, Any], run_id: str) -> None:
        import wandb

        name = os.environ.get("WANDB_RUN_ID", run_id)  # an agent of W&B's has named it
        self._parts = list(folder.glob(f"wandb/offline-run-*-{name}"))
        settings = wandb.Settings(silent=True, console="off", init_timeout=MEETING, mode=self.mode)
        wandb.setup(settings)
        self._run = wandb.init(
            name=folder.name,
            id=name,
            dir=str(folder),
            project=self.project,
            group=self.group,
            tags=self.tags,
            resume="allow",
            config=config,
            settings=settings,
        )
        self._run.define_metric(STEP)
        self._run.define_metric("*", step_metric=STEP, step_sync=True)
        self._again = self.mode == "offline" or bool(self._parts)

    def attempt(self, task: Callable[[Any], object]) -> None:
        """Does something with the W&B run, where there is one; leaves W&B out from here on where it fails."""
        if self._run is None:
            return
        try:
            task(self._run)
        except Exception as error:  # a log is never worth a training
            self._run = None
            warnings.warn(f"W&B is left out from here on ({error}): the figures are in {self._kept}.", stacklevel=1)

    def loggers(self, folder: Path, stage: str, since: tuple[int, int] = (0, 0)) -> list[Logger]:
        """The loggers of one stage, which goes on from an epoch and a step."""
        csv_log = CSVLog(folder / "metrics.csv", stage, since)
        if self._run is None:
            return [csv_log]
        self.attempt(self._write_again)
        return [csv_log, WandbFigures(self.attempt, stage)]

    def _write_again(self, run: Any) -> None:
        """Writes what the run has logged before it was cut off, once what is done again is out of the CSV file."""
        if not self._again:
            return
        self._again = False
        for stage, logged in groupby(read_csv(self._figures), itemgetter("stage")):
            logger = WandbFigures(lambda task: task(run), stage)
            for (epoch, step), rows in groupby(logged, itemgetter("epoch", "step")):
                figures = {row["name"]: float(row["value"]) for row in rows}
                logger.log_metrics({**figures, "epoch": int(epoch)}, int(step))
        for part in self._parts:
            if part.resolve() != Path(run.dir).resolve().parent:
                shutil.rmtree(part)

    def picture(self, name: str, path: Path) -> None:
        """Sends a picture."""

        def send(run: Any) -> None:
            import wandb

            run.log({name: wandb.Image(str(path))})

        self.attempt(send)

    def results(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], name: str = "results") -> None:
        """Sends a table, of the results with a row for each network unless it has another name."""

        def send(run: Any) -> None:
            import wandb

            run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

        self.attempt(send)

    def model(self, checkpoint: Path, photographs: Path, about: Mapping[str, Any]) -> None:
        """Sends the network that came out, and the list of the photographs that it learned from, as artifacts.

        Online the run uses the list, so that W&B draws photographs → run → network; offline, where W&B cannot look up
        what is used, it brings both.

        Args:
            checkpoint: the network's.
            photographs: their list.
            about: what W&B is to show of the network.
        """

        def send(run: Any) -> None:
            import wandb

            listed = wandb.Artifact(f"{self.project}-photographs", type="dataset")
            listed.add_file(str(photographs), policy="immutable")
            (run.use_artifact if self.mode == "online" else run.log_artifact)(listed)
            network = wandb.Artifact(f"{self.project}-network", type="model", metadata=dict(about))
            network.add_file(str(checkpoint), policy="immutable")
            run.log_artifact(network)

        if self.models:
            self.attempt(send)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Keeps the last word of a run."""
        self.attempt(self._write_again)
        self.attempt(lambda run: run.summary.update(dict(values)))

    def close(self, *, hurried: bool = False) -> None:
        """Ends the W&B run, so that another one of the same process starts its own; does not wait for long.

        Args:
            hurried: whether others wait for this process, or a scheduler does.
        """
        if self._run is None:
            return
        patience = HURRY if hurried else PATIENCE
        left = threading.Event()

        def finish(run: Any) -> None:
            run.finish()
            if not left.is_set():  # W&B is another run's by then
                _part()

        ending = threading.Thread(target=self.attempt, args=(finish,), daemon=True)
        ending.start()
        ending.join(patience)
        if ending.is_alive():
            left.set()
            warnings.warn(
                f"W&B has not taken everything within {patience:g} s: wandb sync sends what is in "
                f"{self._figures.parent / 'wandb'}.",
                stacklevel=1,
            )
        self._run = None


def _part() -> None:
    """Ends W&B's own process, which would keep a run's name, and its ways, to the next run of this process."""
    with suppress(Exception):
        import wandb

        wandb.teardown()
