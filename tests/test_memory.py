"""Freed memory is kept: a large block comes from the heap and stays there when freed; workers get none of it."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import pytest

from deepret.memory import keep_memory

SHOW = """
import ctypes, json, sys
import torch
from deepret.memory import keep_memory

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


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_blocks_come_from_what_was_kept() -> None:
    if not (keep_memory() and hasattr(ctypes.CDLL(None), "mallinfo2")):
        pytest.skip("this system's allocator is not glibc's, or glibc is older than 2.33")
    held, freed = heap_growth("kept")
    assert held >= 60
    assert freed == held
    assert max(heap_growth("as it is")) < 30


WORKER = """
import sys
import torch
from torch.utils.data import Dataset
from deepret.data.loading import Loader
from deepret.memory import keep_memory

class Held(Dataset):
    def __len__(self): return 1
    def __getitem__(self, i):
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096 >> 20  # MiB in memory

keep_memory()
if sys.argv[1] == "after":
    blocks = [torch.ones(100 << 18) for _ in range(5)]
    last = torch.ones(1 << 18)  # what lies behind them stays in use
    del blocks
if __name__ == "__main__":
    print(int(next(iter(Loader(Held(), workers=1, batch_size=1)))))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_workers_get_none_of_what_was_kept(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)

    def megabytes(when: str) -> int:
        return int(
            subprocess.run([sys.executable, str(script), when], capture_output=True, text=True, check=True).stdout
        )

    assert megabytes("after") < megabytes("before") + 200
