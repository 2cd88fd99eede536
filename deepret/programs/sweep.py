"""A sweep's jobs: each is written down when it begins and when it ends, and none ends the others."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from deepret.errors import UserError
from deepret.training.ledger import LEDGER, note
from deepret.training.run import Run

APART = ("resume=", "output=", "cache=")
"""Words that say where a job runs, not what it is."""


def sweep_name() -> str:
    """The name of the sweep that this process belongs to; jobs in other processes inherit it."""
    return os.environ.setdefault("DEEPRET_SWEEP", time.strftime("sweep-%Y-%m-%d_%H-%M-%S"))


def run_job(cfg: DictConfig, words: Sequence[str], task: Callable[[DictConfig], Any]) -> float:
    """Runs one job and gives its mAP, in 0…1, for sweepers that look for the best; no number where it failed.

    Its W&B run is in the sweep's group. A mistake is told and written down, and the other jobs go on.

    Args:
        cfg: the job's configuration.
        words: the words that it differs by.
        task: trains.
    """
    sweep, job = sweep_name(), job_name(words)
    if "logger" in cfg and cfg.logger.get("group", 0) is None:
        with open_dict(cfg):
            cfg.logger.group = sweep
    path = Path(str(cfg.output)).expanduser() / LEDGER
    note(path, sweep=sweep, job=job, status="began")
    try:
        task(cfg)
        found = result_of(cfg)
    except UserError as error:
        print(f"error: {error}", flush=True)
        note(path, sweep=sweep, job=job, status="failed", why=str(error))
        return math.nan
    except Exception as error:
        note(path, sweep=sweep, job=job, status="failed", why=f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        note(path, sweep=sweep, job=job, status="stopped")
        raise
    note(path, sweep=sweep, job=job, status="finished", run=found.get("run"), mAP=found.get("mAP"))
    score = found.get("mAP")
    return math.nan if score is None else float(score)


def job_name(words: Sequence[str]) -> str:
    """What tells a job from the others of a sweep."""
    return " ".join(word for word in words if not word.lstrip("+").startswith(APART))


def result_of(cfg: DictConfig) -> dict[str, Any]:
    """What the newest finished run of a configuration came to.

    Raises:
        UserError: there is none, so the processes that were to train it have failed.
    """
    from deepret.programs.shared import prepare

    for run in Run.of(prepare(cfg)):
        if run.done:
            found: dict[str, Any] = json.loads((run.folder / "result.json").read_text())
            return found
    raise UserError("the processes of this job have failed; they say above why.")
