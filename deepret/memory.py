"""Memory that a step frees: kept for the next step, given back before other processes are made."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
KEPT = 2**31 - 1
"""Bytes of free memory above which some goes back to the system."""


def keep_memory() -> bool:
    """Tells glibc to keep freed memory instead of giving it back at once; says whether it does.

    A map of 32 images is a hundred megabytes. As glibc is set, each comes fresh from the system and goes back to it,
    and the system clears every page again: on a CPU that is up to half of a network's time. Elsewhere than on glibc
    nothing changes; a GPU's memory is PyTorch's own matter.
    """
    mallopt = _glibc("mallopt")
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))


def give_back_memory() -> None:
    """Gives what is kept and not in use back to the system.

    A worker that is forked shares the pages of its parent, kept ones too, and has each for itself as soon as the parent
    writes to it again: without this, workers come to hold gigabytes of what a step has freed.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Any:
    """A function of the C library, None where there is none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name) if sys.platform.startswith("linux") else None
    except (OSError, AttributeError):
        return None
