"""Two settings against each other: every choice of one with every choice of the other, mean and spread over seeds.

deepret report matrix output=outputs/matrix
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pydantic import NonNegativeInt

from deepret.comma_separated import comma_separated
from deepret.errors import UserError
from deepret.files import write_whole
from deepret.reports.command import command
from deepret.reports.cost import costs
from deepret.reports.gallery import save_png
from deepret.reports.heat_map import heat_map
from deepret.reports.sweep import Job, jobs_of, shown, sweep_of, varied
from deepret.reports.table import Table, as_sections, as_text
from deepret.runs.ledger import LEDGER, read_ledger

BEFORE = "before training"
"""What a run calls the score of the network that it began with."""


@dataclass(frozen=True)
class Trained:
    """One finished job.

    Args:
        row: the choice of the one setting.
        column: that of the other.
        seed: its seed, as it is written.
        score: mAP in per cent.
        before: the same before training, where the run's folder says it.
        seconds: what the run took, scores included, where its folder says it.
        checkpoint: of its last stage, where there is one.
    """

    row: str
    column: str
    seed: str
    score: float
    before: float | None
    seconds: float | None
    checkpoint: Path | None = None


def matrix(
    output: str = "outputs/matrix",
    rows: str = "regions",
    columns: str = "loss",
    sweep: str | None = None,
    picture: str | None = None,
    photographs: NonNegativeInt = 8,
) -> dict[str, Any]:
    """Tells what each choice of one setting gives with each choice of another: mean mAP and its spread over seeds.

    Prints the table, what each setting and both together explain, and what a run took; writes ``matrix.md`` and
    ``matrix.csv``, every run in a line, to the output folder, and draws a heat map.

    Args:
        output: the output folder of a sweep's jobs.
        rows: the setting whose choices are rows.
        columns: the setting whose choices are columns.
        sweep: the sweep's name, ``sweep-DATE_TIME``; the newest by default.
        picture: where the picture goes; ``matrix.png`` in the output folder by default.
        photographs: how many a network of each row describes, so that its cost is known; 0 leaves that out.

    Returns:
        what the last line prints: ``cells``, mean mAP in 0…1 of each row and column, the ``best`` of them, how much
        of the differences ``explained`` says that each setting explains, and ``milliseconds`` a photograph.

    Raises:
        UserError: no sweep was written down there, none of its jobs is finished, or they differ in another setting too.
    """
    folder = Path(output).expanduser()
    name = sweep_of(output, sweep)
    jobs = jobs_of(folder, name)
    check_settings(jobs, rows, columns, output)
    found = trained(folder, name, jobs, rows, columns)
    if not found:
        raise UserError(
            f"output={output}: none of the {len(jobs)} jobs of {name} is finished; deepret report sweep says why."
        )
    cells = means(found)
    shares = explained(found, rows, columns)
    cost, lacking = cost_of(found, photographs)
    tables = {
        f"mAP %, {rows} × {columns}": table_of(found, cells, cost),
        "What explains the differences": (["", "share %"], [[name, 100 * share] for name, share in shares.items()]),
    }
    left = [job for job in jobs if job.status != "finished"]
    said = [*reading(found, cells, rows, columns, [job.name for job in left]), *lacking]
    print(f"{name}\n\n{as_text(tables)}\n\n" + "\n".join(said))
    page = "\n\n".join([f"# {rows} × {columns}", *as_sections(tables), "\n".join(f"- {line}" for line in said)])
    write_whole(folder / "matrix.md", f"{page}\n".encode())
    write_whole(folder / "matrix.csv", written(found, rows, columns))
    path = Path(picture).expanduser() if picture else folder / "matrix.png"
    drawn = {key: (mean(scores), told(scores)) for key, scores in cells.items()}
    save_png(heat_map(*names(found), drawn, "mAP %"), path)
    print(f"picture: {path}")
    (row, column), best = max(cells.items(), key=lambda item: mean(item[1]))
    nested: dict[str, dict[str, float]] = {}
    for (one, other), scores in cells.items():
        nested.setdefault(one, {})[other] = round(mean(scores) / 100, 5)
    chosen = {rows: row, columns: column, "mAP": round(mean(best) / 100, 5)}
    return {
        "jobs": len(jobs),
        "finished": len(found),
        "cells": nested,
        "best": chosen,
        "explained": shares,
        "milliseconds": cost,
    }


def check_settings(jobs: Sequence[Job], rows: str, columns: str, output: str) -> None:
    """Makes sure that jobs name both settings and differ in nothing else but the seed.

    Raises:
        UserError: they do not.
    """
    keys = varied(jobs)
    for key, given in (("rows", rows), ("columns", columns)):
        if any(given not in job.settings for job in jobs):
            raise UserError(
                f"{key}={given}: not every job of this sweep names {given}; they differ in "
                f"{', '.join(keys) or 'nothing'}."
            )
    others = [key for key in keys if key not in (rows, columns, "seed")]
    if others:
        raise UserError(
            f"output={output}: the jobs differ in {', '.join(others)}, too, so a cell would be a mean over that: take "
            f"rows={others[0]} or columns={others[0]}, or sweep over two settings and seeds alone."
        )


def trained(folder: Path, sweep: str, jobs: Sequence[Job], rows: str, columns: str) -> list[Trained]:
    """The finished jobs that have a score, in the order in which they began."""
    entries = read_ledger(folder / LEDGER, sweep)
    found = []
    for job in jobs:
        if job.status != "finished" or job.score is None:
            continue
        result: dict[str, Any] = {}
        with suppress(OSError, ValueError):  # the figures do without a folder that is gone
            result = json.loads((Path(entries[job.name].get("run") or "") / "result.json").read_text())
        before = result.get("stages", {}).get(BEFORE)
        found.append(
            Trained(
                shown(job.settings[rows]),
                shown(job.settings[columns]),
                shown(job.settings.get("seed")),
                100 * job.score,
                None if before is None else 100 * before,
                result.get("seconds"),
                last_checkpoint(result),
            )
        )
    return found


def last_checkpoint(result: dict[str, Any]) -> Path | None:
    """The checkpoint that a run ended with, if it is there."""
    path = Path(result.get("checkpoint") or "")
    return path if path.is_file() else None


def cost_of(found: Sequence[Trained], photographs: int) -> tuple[dict[str, float], list[str]]:
    """Milliseconds a photograph, by the choice of the one setting, and why there are none where there are not."""
    each = {run.row: run.checkpoint for run in reversed(found) if run.checkpoint is not None}
    if not (each and photographs):
        return {}, []
    try:
        return {name: round(value, 2) for name, value in costs(each, photographs).items()}, []
    except UserError as error:
        return {}, [f"What a photograph costs is not known: {error}"]


def names(found: Sequence[Trained]) -> tuple[list[str], list[str]]:
    """The choices of both settings, in the order in which they were first tried."""
    return list(dict.fromkeys(run.row for run in found)), list(dict.fromkeys(run.column for run in found))


def means(found: Sequence[Trained]) -> dict[tuple[str, str], list[float]]:
    """The scores of each cell."""
    cells: dict[tuple[str, str], list[float]] = {}
    for run in found:
        cells.setdefault((run.row, run.column), []).append(run.score)
    return cells


def told(scores: Sequence[float]) -> str:
    """How far the scores of a cell are spread, and of how many runs they are."""
    return f"± {stdev(scores):.1f} ({len(scores)})" if len(scores) > 1 else "one run"


def table_of(found: Sequence[Trained], cells: dict[tuple[str, str], list[float]], cost: dict[str, float]) -> Table:
    """A row for each choice of the one setting: before training, each choice of the other, and what that took."""
    rows, columns = names(found)
    lines: list[list[object]] = []
    for row in rows:
        own = [run for run in found if run.row == row]
        before = [run.before for run in own if run.before is not None]
        seconds = [run.seconds for run in own if run.seconds is not None]
        each = [None if (row, c) not in cells else f"{mean(cells[row, c]):.2f} {told(cells[row, c])}" for c in columns]
        took = round(mean(seconds)) if seconds else None
        lines.append([row, mean(before) if before else None, *each, took, cost.get(row)])
    return ["", BEFORE, *columns, "seconds a run", "ms a photograph"], lines


def explained(found: Sequence[Trained], rows: str, columns: str) -> dict[str, float]:
    """Shares of the differences in mAP: η² of each setting alone, of both together, and what is left to seeds.

    η² = Σ_g n_g (m_g − m)² / Σ_j (s_j − m)² with the groups of one setting's choices; of both the groups are cells, so
    that what both explain beyond the sum of the two is that some choices go together. Nothing where all scores are
    alike.
    """
    scores = [run.score for run in found]
    middle = mean(scores)
    total = sum((score - middle) ** 2 for score in scores)
    if total == 0:
        return {}

    def share(key: Any) -> float:
        groups: dict[Any, list[float]] = {}
        for run in found:
            groups.setdefault(key(run), []).append(run.score)
        return sum(len(g) * (mean(g) - middle) ** 2 for g in groups.values()) / total

    both = share(lambda run: (run.row, run.column))
    return {
        rows: share(lambda run: run.row),
        columns: share(lambda run: run.column),
        "the two together": both,
        "seeds": 1 - both,
    }


def reading(
    found: Sequence[Trained],
    cells: dict[tuple[str, str], list[float]],
    rows: str,
    columns: str,
    left: Sequence[str],
) -> list[str]:
    """What matters, in sentences."""
    (row, column), best = max(cells.items(), key=lambda item: mean(item[1]))
    said = [f"The best is {rows}={row} {columns}={column}: {mean(best):.1f}, {told(best)}."]
    whole = names(found)
    for name, choices, own in ((rows, whole[0], 0), (columns, whole[1], 1)):
        middles = {c: mean(mean(scores) for key, scores in cells.items() if key[own] == c) for c in choices}
        ordered = sorted(middles.items(), key=lambda item: -item[1])
        said.append(f"Mean over all else, {name}: {', '.join(f'{c} {value:.1f}' for c, value in ordered)}.")
    spreads = [stdev(scores) for scores in cells.values() if len(scores) > 1]
    if spreads:
        said.append(f"Seeds move a figure by {mean(spreads):.1f} points (mean of the cells' standard deviations).")
    missing = len(whole[0]) * len(whole[1]) - len(cells)
    if missing:
        said.append(f"{missing} of {len(whole[0]) * len(whole[1])} cells have no finished run.")
    if left:
        said.append(f"Not finished: {'; '.join(left)}.")
    return said


def written(found: Sequence[Trained], rows: str, columns: str) -> bytes:
    """Every run as CSV."""
    lines = [[rows, columns, "seed", "mAP %", f"mAP % {BEFORE}", "seconds"]]
    for run in found:
        before, seconds = ("" if value is None else f"{value:.3f}" for value in (run.before, run.seconds))
        lines.append([run.row, run.column, run.seed, f"{run.score:.3f}", before, seconds])
    return comma_separated(lines).encode()


if __name__ == "__main__":
    command("deepret.reports.matrix.matrix", "output=outputs/matrix")
