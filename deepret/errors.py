"""The one exception that is meant for people, and how it names what they may have meant."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend: the message says what, where and how to mend it.

    The programs print the message without a traceback and end with exit code 2.
    """


def closest(word: str, names: Iterable[str]) -> str:
    """A sentence that names the closest of ``names``, or all of them where none is close."""
    names = sorted(set(names))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(names)}." if names else "there are none."


AGAIN = 75
"""Exit code of a run that was asked to make room and can be gone on with, as sysexits.h has it."""


HANG_UP = getattr(signal, "SIGHUP", None)
"""What the programs of a terminal hear when it closes."""
ASKING = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a run to make room: SLURM's, which ``--signal`` names, every scheduler's, a closed terminal's."""


class Preempted(BaseException):
    """A run was asked to make room; no ``Exception``, so that nothing takes it for a fault."""
