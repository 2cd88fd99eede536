from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deepret.errors import Preempted, UserError
from deepret.reports.loop.program import run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that does as its first word says."""
    (tmp_path / "acts.py").write_text(
        "import os, signal, sys, time\n"
        "how = sys.argv[1]\n"
        "if how == 'well': print('much\\n{\"mAP\": 0.5}\\n')\n"
        "if how == 'told': print('error: root=x: no such folder.', file=sys.stderr); sys.exit(2)\n"
        "if how == 'raised': raise ValueError('broken')\n"
        "if how == 'silent': sys.exit(3)\n"
        "if how == 'killed': os.kill(os.getpid(), signal.SIGKILL)\n"
        "if how == 'room': sys.exit(75)\n"
        "if how == 'waits': open(sys.argv[2], 'w').close(); time.sleep(30)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "acts"


def test_the_last_line_is_what_it_gives(module: str, tmp_path: Path) -> None:
    assert run([module, "well"], tmp_path / "0.4-0-noisy") == {"mAP": 0.5}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("told", r"^root=x: no such folder \(all that it said: .*0.4-0-noisy.out and 0.4-0-noisy.err\)$"),
        ("raised", "^ValueError: broken"),
        ("silent", "^it ended with code 3"),
        ("killed", "^it was ended by SIGKILL"),
        ("nothing", "its last line is no result"),
    ],
)
def test_what_is_amiss_is_one_message(module: str, tmp_path: Path, how: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run([module, how], tmp_path / "0.4-0-noisy")


def test_one_that_made_room_is_no_failure(module: str, tmp_path: Path) -> None:
    with pytest.raises(Preempted, match="A scheduler asked for it"):
        run([module, "room"], tmp_path / "0.4-0-noisy")


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Preempted)])
def test_signals_are_passed_on(module: str, tmp_path: Path, number: int, raised: type[BaseException]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=stop_once, args=(tmp_path / "began", number)).start()
    start = time.monotonic()
    try:
        with pytest.raises(raised, match="The same command goes on"):
            run([module, "waits", str(tmp_path / "began")], tmp_path / "0.4-0-noisy")
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 20


def stop_once(began: Path, number: int) -> None:
    while not began.exists():
        time.sleep(0.02)
    os.kill(os.getpid(), number)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process that its starter was killed")
@pytest.mark.slow
def test_a_program_ends_when_what_started_it_is_killed(module: str, tmp_path: Path) -> None:
    began = tmp_path / "began"
    code = (
        "from pathlib import Path; from deepret.reports.loop.program import run; "
        f"run([{module!r}, 'waits', {str(began)!r}], Path({str(tmp_path / '0.4-0-noisy')!r}))"
    )
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    starter = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths})
    while not began.exists():
        time.sleep(0.02)
    assert waiting(began)
    starter.kill()
    starter.wait()
    for _ in range(200):
        if not waiting(began):
            return
        time.sleep(0.05)
    pytest.fail("it goes on")


def waiting(began: Path) -> bool:
    """Whether a process runs that was told of this file, other than what started it."""
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(began).encode() in words.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
