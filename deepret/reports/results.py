"""A report's file of results: an entry for each run, so that what is finished is never done again, on any machine."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from deepret.distributed.launch import cores
from deepret.errors import UserError
from deepret.files import write_whole
from deepret.runs.made_with import cpu

Entry = dict[str, Any]
"""``words`` that decide its figures, ``attempts``, and once it is finished ``figures``, ``command``, ``seconds`` of the
last attempt, ``machine`` and ``date``."""


class Run(Protocol):
    """What a report does once: its name, what decides its figures, and how it is asked for."""

    @property
    def name(self) -> str:
        """How results call it."""

    @property
    def words(self) -> tuple[str, ...]:
        """What its figures depend on."""

    @property
    def shown(self) -> str:
        """The command as it is typed."""


class Results:
    """Entries of runs by their names, in a JSON file.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> dict[str, Entry]:
        """All entries, in the order in which runs began.

        Raises:
            UserError: the file cannot be read.
        """
        if not self.path.exists():
            return {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if not (isinstance(found, dict) and all(isinstance(entry, dict) for entry in found.values())):
                raise ValueError("it holds no entries of runs")
        except (OSError, ValueError) as error:
            raise UserError(f"results={self.path}: cannot be read ({error}); mend it, or name another file.") from None
        return found

    def figures(self, name: str) -> dict[str, Any] | None:
        """What came of a run; None where it is not finished."""
        found: dict[str, Any] | None = self.entries().get(name, {}).get("figures")
        return found

    def check(self, runs: Sequence[Run]) -> None:
        """Makes sure that what is there of some runs was made with their settings.

        Raises:
            UserError: an entry was made with others.
        """
        entries = self.entries()
        for run in runs:
            words = entries.get(run.name, {}).get("words", list(run.words))
            if words != list(run.words):
                raise UserError(
                    f"results={self.path}: {run.name!r} was made with other settings ({' '.join(words)}): name another "
                    f"file, or take its entry out."
                )

    def begin(self, run: Run) -> None:
        """Notes that a run begins.

        Raises:
            UserError: the file cannot be read or written.
        """
        before = self.entries().get(run.name, {})
        self._put(run, {**before, "words": list(run.words), "attempts": before.get("attempts", 0) + 1})

    def finish(self, run: Run, figures: dict[str, Any], seconds: float) -> None:
        """Notes what came of a run.

        Raises:
            UserError: the file cannot be read or written.
        """
        entry = {
            **self.entries()[run.name],
            "figures": figures,
            "command": run.shown,
            "seconds": round(seconds, 1),
            "machine": f"{cpu()}, {cores()} cores",
            "date": time.strftime("%Y-%m-%d %H:%M"),
        }
        self._put(run, entry)

    def _put(self, run: Run, entry: Entry) -> None:
        text = json.dumps({**self.entries(), run.name: entry}, indent=1, ensure_ascii=False)
        write_whole(self.path, text.encode("utf-8"))
