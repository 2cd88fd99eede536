from __future__ import annotations

import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from deepret.data.scenes.plan import Recipe, plan
from deepret.data.scenes.pool import STOPPED, _deaf, _each, _take_some
from deepret.data.scenes.render import take_one

RECIPE = Recipe(4, 1, 2, 40, 0, 64, 0.0, 0)
TAKE = partial(take_one, RECIPE)


def test_a_set_that_is_given_up_takes_no_more_pictures(tmp_path: Path) -> None:
    (tmp_path / STOPPED).touch()
    assert _take_some(TAKE, plan(RECIPE)[:3], tmp_path) == []


@pytest.mark.slow
def test_control_c_waits_for_the_pictures_at_hand_alone(tmp_path: Path) -> None:
    pictures = plan(RECIPE)
    jobs = [[picture] for picture in pictures[:2]] + [pictures[2:]]
    rendered = _each(TAKE, jobs, tmp_path, 2)
    next(rendered)
    rendered.close()  # as an exception in the loop over it does
    assert (tmp_path / STOPPED).is_file()
    assert len(list(tmp_path.rglob("*.jpg"))) < len(pictures)


def test_what_is_started_does_not_hear_control_c() -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with _deaf():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


@pytest.mark.slow
def test_a_script_without_a_guard_renders_all_the_same(tmp_path: Path) -> None:
    """Each process that is to render runs the script again, and must not wait for the folder that it is to fill."""
    script = tmp_path / "script.py"
    script.write_text(
        "from deepret.data.scenes.source import Scenes\n"
        f"scenes = Scenes(4, 1, 2, 8, 0, 288, cache={str(tmp_path / 'cache')!r})\n"
        "print(len(scenes.load()))\n"
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.split() == ["56"]
