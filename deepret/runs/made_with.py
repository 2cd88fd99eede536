"""What a run was made with: versions, revision, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from deepret import __version__
from deepret.distributed.ranks import machines, world

PACKAGES = (
    *("torch", "torchvision", "timm", "pytorch-lightning", "pytorch-metric-learning"),
    *("opencv-contrib-python-headless", "pillow", "numpy"),
)
"""Packages whose versions can change a figure."""


def made_with() -> dict[str, str]:
    """Names and versions of everything a figure may depend on, beside configuration and photographs."""
    found = {"deepret": __version__, "revision": revision(), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        **found,
        "system": platform.platform(),
        "cpu": cpu(),
        "gpu": gpu,
        "threads": str(torch.get_num_threads()),
        "processes": str(world()),
        "machines": str(machines()),
    }


def revision() -> str:
    """The git revision of the checkout that deepret runs from, with a plus where files have changed; none elsewhere."""
    home = Path(__file__).resolve().parents[2]
    if not (home / ".git").exists():
        return "none"

    def git(*words: str) -> str:
        command = ["git", "-C", str(home), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "none"


def cpu() -> str:
    """The processor's name, as Linux has it, or what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.machine()}, {os.cpu_count()} cores"
