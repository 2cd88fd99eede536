"""Runs a program of deepret's as a process of its own and gives what its last line says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deepret.distributed.launch import die_with, home_first, passing_on, send
from deepret.errors import AGAIN, Preempted, UserError

STOPPED = 130
"""Exit code of a program that Ctrl-C has ended."""


def run(command: Sequence[str], log: Path) -> dict[str, Any]:
    """Runs a program to its end.

    Signals that ask this process to stop are passed on, and what the program makes of them is waited for; where this
    process is killed, the program is asked to end.

    Args:
        command: ``deepret``, a program and its words.
        log: where what it says goes, without its ending: .out and .err.

    Returns:
        the JSON object that it prints last.

    Raises:
        UserError: it failed, with its own message.
        KeyboardInterrupt: it was stopped.
        Preempted: it was asked to make room.
    """
    out, err = (log.with_name(f"{log.name}.{kind}") for kind in ("out", "err"))
    started: list[subprocess.Popen[bytes]] = []
    with out.open("wb") as said, err.open("wb") as complained, passing_on(started) as heard:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=said,
                stderr=complained,
                env={**os.environ, "PYTHONPATH": home_first()},
                start_new_session=True,
                preexec_fn=partial(die_with, os.getpid()) if sys.platform == "linux" else None,
            )
        )
        for number in list(heard):  # while it was started
            send(started, number)
        code = started[0].wait()
    if signal.SIGINT in heard or code == STOPPED:
        raise KeyboardInterrupt("The same command goes on.")
    if heard or code == AGAIN:
        asked = signal.Signals(heard[0]).name if heard else "A scheduler"
        raise Preempted(f"{asked} asked for it. The same command goes on.")
    if code:
        raise UserError(f"{why(err, code)} (all that it said: {out} and {err.name})")
    try:
        found: dict[str, Any] = json.loads(last_line(out))
    except ValueError:
        raise UserError(f"{out}: its last line is no result; give the same command again.") from None
    return found


def why(err: Path, code: int) -> str:
    """What a program that failed has said last, or which signal ended it."""
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return last_line(err).removeprefix("error: ").rstrip(".") or f"it ended with code {code}"


def last_line(path: Path) -> str:
    """The last line of a text file that is not empty."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
