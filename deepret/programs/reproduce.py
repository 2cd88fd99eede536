"""``deepret reproduce``: trains a finished run again and compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from deepret.distributed.ranks import rank
from deepret.errors import UserError
from deepret.programs.train import train
from deepret.reports.table import table
from deepret.training.checkpoint import load, network_state
from deepret.training.logs import read_csv
from deepret.training.run import Run

SPEED = ("images/s", "memory GB")
"""Logged figures that are of the machine, not of the training."""


def run_of(words: list[str]) -> Run:
    """The finished run that the command line names.

    Raises:
        UserError: no run, one that is not finished, or another word.
    """
    if len(words) != 1:
        raise UserError("reproduce takes one word, a run's folder: deepret reproduce outputs/RUN.")
    run = Run.open(words[0])
    if not (run.folder / "result.json").is_file():
        raise UserError(f"{run.folder}: this run is not finished: go on with resume={run.folder} first.")
    return run


def reproduce(words: list[str]) -> bool:
    """Trains a run again with its whole configuration, beside it, and tells what is the same.

    Args:
        words: the run's folder.

    Raises:
        UserError: no such run, or one that is not finished.
    """
    before = run_of(words)
    config = {**before.config, "resume": None, "output": str(before.folder.parent)}
    result = train(OmegaConf.create(config), [])
    if rank() > 0:
        return True
    after = Run.open(result["run"])
    print("\n" + environment(before, after))
    figures, same = compared(before.folder, after.folder)
    print(figures)
    print("the same to the last bit." if same else "not the same.")
    print(json.dumps({"run": str(before.folder), "again": str(after.folder), "same": same}), flush=True)
    return same


def environment(before: Run, after: Run) -> str:
    """What was otherwise than in the first run."""
    one, two = (run.state.get("made_with", {}) for run in (before, after))
    rows = [[name, one.get(name, "?"), two.get(name, "?")] for name in two if one.get(name) != two[name]]
    if before.state.get("photographs") != after.state.get("photographs"):
        rows.append(["photographs", "other files, labels or splits", ""])
    return table(["made with", "then", "now"], rows) if rows else "made with the same versions, on the same machine."


def compared(before: Path, after: Path) -> tuple[str, bool]:
    """A table of what two runs came to, and whether everything is the same to the last bit."""
    first, second = (json.loads((run / "result.json").read_text()) for run in (before, after))
    rows = [["mAP %, " + name, percent(first, name), percent(second, name)] for name in first.get("stages", {})]
    one, two = (logged(run) for run in (before, after))
    differing = [key for key in one.keys() | two.keys() if one.get(key) != two.get(key)]
    rows.append(["logged figures that differ", str(len(differing)), f"of {len(one):,}"])
    largest = 0.0
    for path in sorted(before.glob("?-*/best.ckpt")):
        states = [network_state(load(run / path.parent.name / "best.ckpt")) for run in (before, after)]
        gap = max(difference(states[0][name], states[1][name]) for name in states[0])
        rows.append([f"weights of {path.parent.name}, largest difference", f"{gap:.3g}", ""])
        largest = max(largest, gap)
    same = not differing and largest == 0 and all(row[1] == row[2] for row in rows if row[0].startswith("mAP"))
    return table(["", "then", "now"], rows), same


def difference(one: torch.Tensor, two: torch.Tensor) -> float:
    """The largest difference of two tensors of one shape."""
    return float((one.double() - two.double()).abs().max()) if one.numel() else 0.0


def percent(result: dict[str, Any], stage: str) -> str:
    """A stage's mAP."""
    value = result.get("stages", {}).get(stage)
    return "–" if value is None else f"{100 * value:.3f}"


def logged(run: Path) -> dict[tuple[str, ...], str]:
    """Every logged figure of a training, by stage, epoch, step and name."""
    rows = [row for row in read_csv(run / "metrics.csv") if row["name"] not in SPEED]
    return {(row["stage"], row["epoch"], row["step"], row["name"]): row["value"] for row in rows}
