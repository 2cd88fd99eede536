"""The ledger of a sweep: what became of each job, a line for each beginning and each end."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from deepret.distributed.ranks import rank
from deepret.errors import UserError
from deepret.runs.lock import alone

LEDGER = "ledger.jsonl"
"""Its name, in the output folder."""


def note(path: Path, **values: Any) -> None:
    """Appends one line, whoever else does; of several processes the first one does.

    Raises:
        UserError: it cannot be written.
    """
    if rank() > 0:
        return
    line = json.dumps({"time": time.strftime("%Y-%m-%d %H:%M:%S"), **values}) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file, alone(file):
            whole = file.seek(0, 2) == 0 or (file.seek(-1, 2) >= 0 and file.read(1) == b"\n")
            file.write(line.encode() if whole else b"\n" + line.encode())  # one was cut off by a full disk
    except OSError as error:
        raise UserError(f"{path}: the sweep's ledger cannot be written ({error.strerror}).") from None


def read_ledger(path: Path, sweep: str | None = None) -> dict[str, dict[str, Any]]:
    """The last line of each job, by its words, in the order in which jobs first began.

    Args:
        path: the ledger.
        sweep: of this sweep alone; of all by default, each job as it was last.
    """
    return {" ".join(entry["words"]): entry for entry in entries(path) if sweep in (None, entry["sweep"])}


def entries(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole, in the order in which they were written; none where there is no file."""
    found = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        with suppress(ValueError):  # one that was cut off
            found.append(json.loads(line))
    return found


def outcome(path: Path, sweep: str) -> tuple[str, bool]:
    """What became of a sweep's jobs, in words, and whether there are any and all are finished."""
    jobs = read_ledger(path, sweep)
    amiss = {job: entry for job, entry in jobs.items() if entry["status"] != "finished"}
    lines = [f"{len(jobs) - len(amiss)} of {len(jobs)} jobs are finished."]
    lines += [f"  {entry['status']}: {job}: {entry.get('why', '')}".rstrip(": ") for job, entry in amiss.items()]
    if amiss:
        lines.append(
            "The same command with resume=auto goes on with what began; what failed needs its setting mended first."
        )
    return "\n".join(lines), bool(jobs) and not amiss
