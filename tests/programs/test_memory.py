"""Freed memory is kept: a large block comes from the heap, and stays there when it is freed."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys

import pytest

from deepret.programs.memory import keep_memory

SHOW = """
import ctypes, json, sys
import torch
from deepret.programs.memory import keep_memory

class Info(ctypes.Structure):  # glibc's struct mallinfo2
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    _fields_ = [(name, ctypes.c_size_t) for name in names]

info = ctypes.CDLL(None).mallinfo2
info.restype = Info
if sys.argv[1] == "kept":
    keep_memory()
before = info()
block = torch.ones(64 << 18)
held = info()
del block
freed = info()
print(json.dumps([(now.arena - before.arena) >> 20 for now in (held, freed)]))
"""


def heap_growth(how: str) -> list[int]:
    """MiB by which the heap grows with a block of 64 MiB, and what is left of that when the block is freed."""
    out = subprocess.run([sys.executable, "-c", SHOW, how], capture_output=True, text=True, check=True).stdout
    held, freed = json.loads(out)
    return [held, freed]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_blocks_come_from_what_was_kept() -> None:
    if not (keep_memory() and hasattr(ctypes.CDLL(None), "mallinfo2")):
        pytest.skip("this system's allocator is not glibc's, or glibc is older than 2.33")
    held, freed = heap_growth("kept")
    assert held >= 60
    assert freed == held
    assert max(heap_growth("as it is")) < 30
