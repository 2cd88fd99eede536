"""A sweep's jobs: each is written down when it begins and when it ends, and none ends the others."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from deepret.config import compose, resolve
from deepret.distributed.ranks import world
from deepret.errors import AGAIN, Preempted, UserError
from deepret.runs.ledger import LEDGER, note
from deepret.runs.run import Run, digest

APART = ("resume=", "output=", "cache=", "logger.group=")
"""Words that say where a job runs, not what it is."""


def sweep_name() -> str:
    """The name of the sweep that this process belongs to; jobs in other processes inherit it."""
    return os.environ.setdefault("DEEPRET_SWEEP", time.strftime("sweep-%Y-%m-%d_%H-%M-%S"))


def ledger_of(words: Sequence[str]) -> Path:
    """Where the ledger of a sweep lies: in the output folder of its jobs.

    The first job is composed for it, so that a setting that there is not is told before any job begins.

    Args:
        words: the sweep's command line.

    Raises:
        UserError: settings that cannot be composed, or jobs with several output folders.
    """
    first, folders, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        if word in ("--config-dir", "-cd"):
            folders += rest[:1]
            rest = rest[1:]
        elif word.startswith("--config-dir="):
            folders.append(word.partition("=")[2])
        elif not word.startswith(("-", "hydra")):
            first.append(word)
    parser = OverridesParser.create()
    for number, word in enumerate(first):
        try:
            read = parser.parse_override(word)
        except HydraException:
            continue  # composing explains it
        if read.key_or_group == "resume" and (read.is_sweep_override() or read.value() not in (None, "auto")):
            raise UserError(f"{word}: a sweep's jobs go on with resume=auto, each with its own run.")
        if not read.is_sweep_override():
            continue
        if read.key_or_group == "output":
            raise UserError(f"{word}: the jobs of a sweep share one output folder, where its ledger lies.")
        if read.is_choice_sweep() or read.is_range_sweep():
            first[number] = f"{word.partition('=')[0]}={next(read.sweep_string_iterator())}"
        else:
            first[number] = ""  # an interval, of which a sweeper chooses
    cfg = compose("train", [word for word in first if word], folders)
    return Path(str(cfg.output)).expanduser() / LEDGER


def run_job(cfg: DictConfig, words: Sequence[str], task: Callable[[DictConfig, list[str]], int]) -> float:
    """Runs one job and gives its mAP, in 0…1, for sweepers that look for the best; 0 where it has none.

    Its W&B run is in the sweep's group. A mistake is told and written down, and the other jobs go on; where others than
    deepret have started several processes, the sweep ends with it, since the other processes may have met none.

    Args:
        cfg: the job's configuration.
        words: the words that it differs by.
        task: trains with a configuration and its words, and gives the exit code of the processes that did.

    Raises:
        UserError: a mistake in one of several processes.
        KeyboardInterrupt: the user stopped the job, and with it the sweep.
        Preempted: a scheduler did.
    """
    sweep, words = sweep_name(), list(words)
    if "logger" in cfg and cfg.logger.get("group", 0) is None:
        with open_dict(cfg):
            cfg.logger.group = sweep
        words.append(f"logger.group={sweep}")
    path = Path(str(cfg.output)).expanduser() / LEDGER
    about = {"sweep": sweep, "words": kept(words)}
    note(path, **about, status="began")
    try:
        code = task(cfg, words)
        if code == AGAIN:
            raise Preempted(f"The same command with resume=auto goes on with {' '.join(kept(words))}.")
        if code == 130:
            raise KeyboardInterrupt
        if code:
            raise UserError("the processes of this job have failed; they say above why.")
        found = result_of(cfg)
    except UserError as error:
        note(path, **about, status="failed", why=str(error))
        if world() > 1:
            raise
        print(f"error: {error}", flush=True)
        return 0.0
    except Exception as error:
        note(path, **about, status="failed", why=f"{type(error).__name__}: {error}")
        if world() > 1:
            raise
        traceback.print_exc()
        return 0.0
    except BaseException:
        note(path, **about, status="stopped")
        raise
    came = {key: found.get(key) for key in ("run", "benchmark", "mAP")}
    note(path, **about, status="finished", **came)
    return float(found.get("mAP") or 0)


def kept(words: Sequence[str]) -> list[str]:
    """The words that tell a job from the others of a sweep."""
    return [word for word in words if not word.lstrip("+").startswith(APART)]


def result_of(cfg: DictConfig) -> dict[str, Any]:
    """What the newest finished run of a configuration came to.

    Raises:
        UserError: there is none.
    """
    for run in Run.of(str(cfg.output), digest(resolve(cfg))):
        if run.done:
            found: dict[str, Any] = json.loads((run.folder / "result.json").read_text())
            return found
    raise UserError(f"output={cfg.output}: this job's run is not there any more.")
