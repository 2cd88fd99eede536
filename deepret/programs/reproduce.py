"""``deepret reproduce``: trains a finished run again and compares, or compares two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from deepret.distributed.launch import by_torchrun, started, wanted
from deepret.distributed.processes import first
from deepret.distributed.ranks import world
from deepret.errors import UserError
from deepret.programs.train import train
from deepret.reports.table import table
from deepret.runs.checkpoint import load, network_state
from deepret.runs.figures import read_csv
from deepret.runs.run import Run

SPEED = ("images/s", "memory GB")
"""Logged figures that are of the machine, not of the training."""


def runs_of(words: list[str]) -> list[Run]:
    """The finished runs that the command line names: one to train again, or two to compare.

    Raises:
        UserError: no run, one that is not finished, or other words.
    """
    if len(words) not in (1, 2):
        raise UserError(
            "reproduce takes a run's folder, deepret reproduce outputs/RUN, or two, which it compares as they are."
        )
    runs = [Run.open(word, "reproduce ") for word in words]
    for run in runs:
        if not (run.folder / "result.json").is_file():
            raise UserError(f"{run.folder}: this run is not finished: go on with resume={run.folder} first.")
    return runs


def processes_wanted(run: Run) -> int:
    """How many processes are to be started on this machine to train a run again; 1 where they are there.

    Raises:
        UserError: it had another number than have been started, or several machines, or more GPUs than there are.
    """
    (count, nodes), trainer = begun_by(run), run.config["trainer"]
    command = f"torchrun --nnodes={nodes} --nproc_per_node={count // nodes} -m deepret reproduce {run.folder}"
    if started() or by_torchrun():
        if world() != count:
            raise UserError(f"{run.folder} was trained by {count} processes, and here are {world()}: take {command}")
        return 1
    if nodes > 1:
        raise UserError(f"{run.folder} was trained on {nodes} machines: start it on as many, {command} on each.")
    return wanted({**trainer, "devices": count, "num_nodes": 1})


def begun_by(run: Run) -> tuple[int, int]:
    """How many processes began a run, on how many machines."""
    start = run.state["made_with"][0]
    return int(start["processes"]), int(start["machines"])


def reproduce(before: Run) -> bool:
    """Trains a run again with its whole configuration, beside it, and tells what is the same.

    Args:
        before: finished.
    """
    count, nodes = begun_by(before)
    trainer = {**before.config["trainer"], "devices": count // nodes, "num_nodes": nodes}
    config = {**before.config, "resume": None, "output": str(before.folder.parent), "trainer": trainer}
    result = train(OmegaConf.create(config), [])
    return first(lambda: verdict(before, Run.open(result["run"])))


def verdict(before: Run, after: Run) -> bool:
    """Tells whether two runs came to the same, and how they were made."""
    print("\n" + environment(before, after))
    figures, same = compared(before.folder, after.folder)
    print(figures)
    print("the same to the last bit." if same else "not the same.")
    print(json.dumps({"run": str(before.folder), "again": str(after.folder), "same": same}), flush=True)
    return same


def environment(before: Run, after: Run) -> str:
    """What was otherwise than in the first run, each of whose starts may have been made with something else."""
    starts = [*before.state["made_with"], *after.state["made_with"]]
    names = dict.fromkeys(name for start in starts for name in start)
    columns = {name: [start.get(name, "?") for start in starts] for name in names}
    rows = [[name, *values] for name, values in columns.items() if len(set(values)) > 1]
    if before.state.get("photographs") != after.state.get("photographs"):
        rows.append(["photographs", "other files, labels or splits", *[""] * (len(starts) - 1)])
    later = ["gone on with"] * (len(before.state["made_with"]) - 1)
    heading = ["made with", "then", *later, "now"]
    return table(heading, rows) if rows else "made with the same versions, on the same machine."


def compared(before: Path, after: Path) -> tuple[str, bool]:
    """A table of what two runs came to, and whether everything is the same to the last bit."""
    first, second = (json.loads((run / "result.json").read_text()) for run in (before, after))
    rows = [["mAP %, " + name, percent(first, name), percent(second, name)] for name in first.get("stages", {})]
    rows.append(["benchmark", *(str(result.get("benchmark")) for result in (first, second))])
    one, two = (logged(run) for run in (before, after))
    differing = [key for key in one.keys() | two.keys() if one.get(key) != two.get(key)]
    rows.append(["logged figures that differ", str(len(differing)), f"of {len(one):,}"])
    largest = 0.0
    for path in sorted(before.glob("?-*/best.ckpt")):
        states = [network_state(load(run / path.parent.name / "best.ckpt")) for run in (before, after)]
        gap = max(difference(states[0][name], states[1][name]) for name in states[0])
        rows.append([f"weights of {path.parent.name}, largest difference", f"{gap:.3g}", ""])
        largest = max(largest, gap)
    same = (
        not differing
        and largest == 0
        and all(row[1] == row[2] for row in rows if row[0].startswith(("mAP", "benchmark")))
    )
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
