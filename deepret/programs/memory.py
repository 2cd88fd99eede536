"""Memory that a step frees is kept for the next step."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 2**31 - 1
"""Bytes of free memory above which some goes back to the system."""
FROM_HEAP = 2**30
"""Bytes up to which a block comes from what was kept."""


def keep_memory() -> bool:
    """Tells glibc to keep freed memory instead of giving it back at once; says whether it does.

    A map of 32 images is a hundred megabytes. As glibc is set, each comes fresh from the system and goes back to it,
    and the system clears every page again: on a CPU that is up to half of a network's time. Elsewhere than on glibc
    nothing changes; a GPU's memory is PyTorch's own matter.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, FROM_HEAP)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
