"""Programs that tests start: trainings, which they cut off and compare, and one that holds a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def hear_control_c() -> None:
    """What a shell starts with ``&`` ignores Ctrl-C, and so does all that it starts in turn."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(output: Path, cache: Path, *words: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Starts a training, in a session of its own, with a command before it that starts it in turn."""
    output.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [*before, sys.executable, str(ROOT / "train.py"), *words, f"output={output}", f"cache={cache}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=output.parent,
        preexec_fn=hear_control_c,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The last line of a training that has to end well."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found


def steps(output: Path) -> int:
    """How many steps the runs under a folder have logged."""
    return sum(file.read_text().count(",loss,") for file in output.glob("*/metrics.csv"))


def wait_for(output: Path, step: int, process: subprocess.Popen[str]) -> None:
    """Waits until a training has logged so many steps, or has ended."""
    while steps(output) < step and process.poll() is None:
        time.sleep(0.005)


def weights(result: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The weights of a training's last checkpoint."""
    found: dict[str, torch.Tensor] = torch.load(result["checkpoint"], weights_only=True)["state_dict"]
    return found


def read_whole(output: Path) -> None:
    """Reads every file of the runs under a folder to its end: none is ever half there."""
    read = {
        ".json": lambda path: json.loads(path.read_text()),
        ".yaml": lambda path: yaml.safe_load(path.read_text()),
        ".ckpt": lambda path: torch.load(path, weights_only=True),
        ".png": lambda path: Image.open(path).load(),
        ".csv": lambda path: _lines(path.read_text()),
    }
    for path in output.glob("*/**/*"):
        if path.is_file() and not path.name.startswith(".") and "wandb" not in path.parts:
            read[path.suffix](path)


def _lines(text: str) -> None:
    assert text.endswith("\n")


HOLDS = """
import sys
from pathlib import Path
from deepret.runs.lock import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process, which holds a folder until it is communicated with."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
