from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

HANGS = """
import sys, time
from pathlib import Path
from deepret.errors import Preempted
from deepret.training.preemption import Preemption
try:
    with Preemption():
        print("ready", flush=True)
        time.sleep(30)
except Preempted as stop:
    print("nobody reads this", flush=True)
    print("nor this", file=sys.stderr, flush=True)
    Path(sys.argv[1]).write_text(str(stop))
"""


def test_a_run_whose_terminal_closes_comes_to_its_end(tmp_path: Path) -> None:
    number, terminal = pty.fork()
    if number == 0:
        os.execv(sys.executable, [sys.executable, "-c", HANGS, str(tmp_path / "said")])
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)
    os.waitpid(number, 0)
    assert (tmp_path / "said").read_text() == "SIGHUP"
