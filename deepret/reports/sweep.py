"""What became of a sweep: a table, which settings matter, and a picture of all jobs.

deepret report sweep output=outputs
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from deepret.errors import UserError, closest
from deepret.reports.command import command
from deepret.reports.gallery import save_png
from deepret.reports.parallel import parallel_coordinates
from deepret.reports.table import table
from deepret.runs.ledger import LEDGER, entries, read_ledger

WIDTH = 100
"""Letters of a message in the table."""
BINS = 4
"""Groups of a number that takes more values than this."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Args:
        name: its words.
        status: ``finished``, ``failed``, ``stopped``, or ``began`` of one that still runs or was killed.
        settings: its words by their keys.
        score: mAP in 0…1, or None.
        benchmark: what that was scored on, which says so where its copy is partial.
        why: of one that failed.
    """

    name: str
    status: str
    settings: dict[str, Any]
    score: float | None
    why: str = ""
    benchmark: str | None = None


def sweep(output: str = "outputs", sweep: str | None = None, picture: str | None = None) -> dict[str, Any]:
    """Tells what became of every job of a sweep, and draws them.

    Args:
        output: the output folder of the sweep's jobs.
        sweep: its name, ``sweep-DATE_TIME``; the newest by default.
        picture: where the picture goes; ``sweep.png`` in the output folder by default.

    Raises:
        UserError: no sweep was written down there.
    """
    folder = Path(output).expanduser()
    names, name = sweeps_of(folder), sweep_of(output, sweep)
    jobs = jobs_of(folder, name)
    others = f"; others there: {', '.join(n for n in names if n != name)}" if len(names) > 1 else ""
    print(f"{name}: {len(jobs)} jobs{others}")
    keys = varied(jobs)
    ranked = sorted(jobs, key=lambda job: -math.inf if job.score is None else job.score, reverse=True)
    rows = [
        [*(shown(job.settings.get(k)) for k in keys), job.benchmark, percent(job.score), job.status, shortened(job.why)]
        for job in ranked
    ]
    print(table([*keys, "benchmark", "mAP %", "status", "why"], rows))
    shares = importance(jobs, keys)
    if shares:
        print("\nshare of the differences in mAP that a setting alone explains (η²)")
        print(table(["setting", "share %"], [[key, 100 * share] for key, share in shares.items()]))
    path = Path(picture).expanduser() if picture else folder / "sweep.png"
    done = [job for job in jobs if job.score is not None]
    if done and keys:
        columns = {key: [job.settings.get(key) for job in done] for key in shares or keys}
        scores = [100 * float(job.score or 0) for job in done]
        save_png(parallel_coordinates(columns, scores, "mAP %", shares), path)
        print(f"picture: {path}")
    best = next((job for job in ranked if job.score is not None), None)
    counts = {status: sum(job.status == status for job in jobs) for status in sorted({job.status for job in jobs})}
    of_best = {
        "best": best and best.name,
        "benchmark": best and best.benchmark,
        "mAP": best and best.score,
    }
    return {"jobs": len(jobs), **counts, **of_best, "importance": shares}


def sweep_of(output: str, sweep: str | None) -> str:
    """The sweep that is asked for, or the newest, of an output folder.

    Raises:
        UserError: there is none.
    """
    folder = Path(output).expanduser()
    there = sweeps_of(folder)
    if not there:
        raise UserError(
            f"output={output}: no sweep was written down there ({folder / LEDGER}): train.py -m … makes one."
        )
    if sweep is not None and sweep not in there:
        raise UserError(f"sweep={sweep}: output={output} has none of this name; {closest(sweep, there)}")
    return sweep or there[-1]


def sweeps_of(folder: Path) -> list[str]:
    """The sweeps that a folder's ledger tells of, the newest last."""
    return list(reversed(dict.fromkeys(entry["sweep"] for entry in reversed(entries(folder / LEDGER)))))


def shortened(why: str) -> str:
    """A message in a column."""
    return why if len(why) <= WIDTH else f"{why[:WIDTH]} …"


def jobs_of(folder: Path, sweep: str) -> list[Job]:
    """The jobs of a sweep, each as it was last."""
    return [
        Job(
            name,
            entry["status"],
            dict(map(setting, entry["words"])),
            entry.get("mAP"),
            entry.get("why", ""),
            entry.get("benchmark"),
        )
        for name, entry in read_ledger(folder / LEDGER, sweep).items()
    ]


def setting(word: str) -> tuple[str, Any]:
    """Key and value of a word as Hydra reads it; a value that is neither number, word nor null as it is written."""
    read = OverridesParser.create().parse_override(word)
    value = read.value()
    plain = value is None or isinstance(value, bool | int | float | str)
    return word.lstrip("+").partition("=")[0], value if plain else read.get_value_element_as_str()


def varied(jobs: Sequence[Job]) -> list[str]:
    """The settings in which jobs differ."""
    keys = dict.fromkeys(key for job in jobs for key in job.settings)
    return [key for key in keys if len({shown(job.settings.get(key)) for job in jobs}) > 1]


def importance(jobs: Sequence[Job], keys: Sequence[str]) -> dict[str, float]:
    """η² = Σ_g n_g (m_g − m)² / Σ_j (s_j − m)² of each setting, the largest first; nothing where the scores are alike.

    Jobs are grouped by the setting's value, m_g is the mean of a group and m of all; a number with many values is cut
    into four groups of one size. It is the setting by itself: two that matter only together both come out small.
    """
    done = [job for job in jobs if job.score is not None]
    scores = [float(job.score or 0) for job in done]
    mean = sum(scores) / len(scores) if scores else 0.0
    total = sum((score - mean) ** 2 for score in scores)
    if total == 0:
        return {}
    found = {}
    for key in keys:
        groups = defaultdict(list)
        for group, score in zip(grouped([job.settings.get(key) for job in done]), scores, strict=True):
            groups[group].append(score)
        found[key] = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups.values()) / total
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def grouped(values: Sequence[Any]) -> list[Any]:
    """A group for each value: the value itself, or a quarter of the range of ranks."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or len(set(numbers)) <= BINS:
        return [shown(value) for value in values]
    order = sorted(set(numbers))
    return [order.index(value) * BINS // len(order) for value in values]


def shown(value: Any) -> str:
    """A setting's value as it is written."""
    return "–" if value is None else str(value)


def percent(score: float | None) -> float | None:
    """A score as the table has it."""
    return None if score is None else 100 * score


if __name__ == "__main__":
    command("deepret.reports.sweep.sweep", "output=outputs")
