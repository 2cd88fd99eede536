"""What training on one kind of data does to finding things of another: each network on each kind, as a table.

deepret report transfer output=outputs/retraining
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from pydantic import NonNegativeInt, PositiveInt

from deepret.benchmarks.split import Split
from deepret.comma_separated import comma_separated
from deepret.data.catalogue import Catalogue
from deepret.data.photographs import Photographs
from deepret.errors import UserError
from deepret.files import write_whole
from deepret.models.build import build_network, load_state
from deepret.models.network import Network
from deepret.parts import build
from deepret.reports.command import command
from deepret.reports.dots import dots
from deepret.reports.gallery import save_png
from deepret.reports.table import table
from deepret.runs import checkpoint as checkpoints
from deepret.search.describe import Describer

BEFORE = "off the shelf"
OWN = frozenset(
    {"data", "benchmark", "seed", "name", "output", "cache", "resume", "workers", "threads", "logger", "gallery"}
)
"""Settings in which runs may differ: what is trained on, and what changes no figure."""


@dataclass(frozen=True)
class Trained:
    """A finished run: what it was trained on, by name, and its last checkpoint."""

    kind: str
    seed: int
    checkpoint: Path
    config: dict[str, Any]


def transfer(
    output: str,
    on: Sequence[str] = (),
    picture: str | None = None,
    cache: str = "~/.cache/deepret",
    batch: PositiveInt = 16,
    workers: NonNegativeInt = 2,
) -> dict[str, Any]:
    """Scores the network that runs began with, and each that they ended with, on the test split of each one's data.

    Folders of photographs may be scored beside them, on their own test split, or query against gallery. Prints mean and
    standard deviation over seeds, writes every figure to ``transfer.csv`` in the output folder, and draws them.

    Args:
        output: the folder of the runs; those that are not finished are left out.
        on: more folders, as ``data=catalogue`` reads them, each by a name of its own.
        picture: where the picture goes; ``transfer.png`` in the output folder by default.
        cache: where codes are kept, so that a figure that was measured before takes no time.
        batch: photographs at once.
        workers: processes that decode.

    Returns:
        what the last line prints: mean mAP, 0…1, of each network on each kind of data.

    Raises:
        UserError: no finished runs, runs that differ in more than data and seed, or data without a test split.
    """
    folder = Path(output).expanduser()
    runs = finished_runs(folder)
    check_alike(runs, folder)
    kinds = {run.kind: run.config["data"] for run in runs}
    catalogues: dict[str, Catalogue] = {k: build(node, seed=runs[0].config["seed"]).load() for k, node in kinds.items()}
    for root in on:
        name = Path(root).name if Path(root).name not in catalogues else root
        catalogues[name] = Photographs(root, cache=cache).load()
    for kind, catalogue in catalogues.items():
        if not {"test"} & set(catalogue.splits) and not {"query", "gallery"} <= set(catalogue.splits):
            raise UserError(f"{kind}: {catalogue.root} has no test split to be scored, nor query and gallery.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    codes = Path(cache).expanduser() / "codes"
    scores: dict[tuple[str, str], list[float]] = {}
    rows: list[tuple[str, str, str, float]] = []
    for run in [None, *runs]:
        network = network_of(run, runs[0].config)
        describe = Describer(network, batch_size=batch, workers=workers, device=device, cache=codes)
        name = BEFORE if run is None else run.kind
        for kind, catalogue in catalogues.items():
            score = Split(catalogue, "test").evaluate(describe).metrics["mAP"]
            scores.setdefault((name, kind), []).append(score)
            rows.append((name, "" if run is None else str(run.seed), kind, score))
    names = list(dict.fromkeys(name for name, _ in scores))
    lines = [[name, *(shown(scores[name, kind]) for kind in catalogues)] for name in names]
    print(table(["trained on", *(f"mAP % on {kind}" for kind in catalogues)], lines))
    write_whole(folder / "transfer.csv", written(rows))
    path = Path(picture).expanduser() if picture else folder / "transfer.png"
    points = {kind: {name: [100 * s for s in scores[name, kind]] for name in names} for kind in catalogues}
    save_png(dots(points, "mAP %", lambda name: name if name == BEFORE else f"trained on {name}"), path)
    print(f"picture: {path}")
    return {name: {kind: round(mean(scores[name, kind]), 5) for kind in catalogues} for name in names}


def finished_runs(folder: Path) -> list[Trained]:
    """The finished runs of an output folder, by what they were trained on and their seeds.

    Raises:
        UserError: there are none, or a checkpoint is gone.
    """
    found = []
    for file in sorted(folder.glob("*/result.json")):
        try:
            stage = Path(json.loads(file.read_text())["checkpoint"]).parent.name
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file}: cannot be read ({error}); take the run's folder away.") from None
        path = file.parent / stage / "best.ckpt"
        config = checkpoints.load(path)["deepret"]["config"]
        kind = str(config["data"]["_target_"]).rpartition(".")[2].lower()
        found.append(Trained(kind, config["seed"], path, config))
    if not found:
        raise UserError(
            f"output={folder}: there is no finished run: train.py -m experiment=retraining data=scenes,turntable "
            f"seed=0,1,2 output={folder} makes some."
        )
    return sorted(found, key=lambda run: (run.kind, run.seed))


def check_alike(runs: list[Trained], folder: Path) -> None:
    """Makes sure that runs differ in data and seed alone, and that all began with one network.

    Raises:
        UserError: they differ in something else, a seed is there twice, or a part is fitted on each one's data.
    """
    first = runs[0].config
    seen: set[tuple[str, int]] = set()
    for run in runs:
        for key in sorted({*first, *run.config} - OWN):
            if run.config.get(key) != first.get(key):
                raise UserError(f"output={folder}: the runs differ in {key}, so their figures are not of data alone.")
        if next(r for r in runs if r.kind == run.kind).config["data"] != run.config["data"]:
            raise UserError(f"output={folder}: there are runs on two different sets that are both {run.kind}.")
        if (run.kind, run.seed) in seen:
            raise UserError(f"output={folder}: there are two runs on {run.kind} with seed {run.seed}.")
        seen.add((run.kind, run.seed))
    if getattr(build_network(first, weights=False).projection, "needs_fit", False):
        raise UserError(
            f"output={folder}: the projection of these runs is fitted on what each was trained on, so they did not "
            f"begin alike: take projection=none."
        )


def network_of(run: Trained | None, config: dict[str, Any]) -> Network:
    """A run's network, or without a run the one before any."""
    network = build_network(config, weights=run is None)
    if run is not None:
        load_state(network, checkpoints.network_state(checkpoints.load(run.checkpoint)), str(run.checkpoint))
    return network


def shown(scores: list[float]) -> str:
    """Mean and standard deviation in per cent."""
    spread = f" ± {100 * stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{100 * mean(scores):.1f}{spread}" if all(map(math.isfinite, scores)) else "-"


def written(rows: list[tuple[str, str, str, float]]) -> bytes:
    """Every figure as CSV."""
    lines = [["trained on", "seed", "scored on", "mAP"]]
    lines += [[name, seed, kind, f"{score:.5f}"] for name, seed, kind, score in rows]
    return comma_separated(lines).encode()


if __name__ == "__main__":
    command(f"{__spec__.name}.transfer", "output=outputs/retraining")
