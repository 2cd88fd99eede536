"""Chooses the arithmetic that this machine is fast in."""

from __future__ import annotations

from pathlib import Path

import torch


def choose_precision(accelerator: str = "auto", cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Lightning's name for the fastest precision that the machine computes in hardware.

    bfloat16 on a CPU is several times faster where there are instructions for it (avx512_bf16, amx_bf16) and 16 times
    slower where there are none, so the CPU's flags decide.

    Args:
        accelerator: Lightning's name; ``auto`` takes a GPU where there is one.
        cpuinfo: the file that lists the CPU's flags.
    """
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "16-mixed"
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return "32-true"
    return "bf16-mixed" if {"avx512_bf16", "amx_bf16"} & set(flags.split()) else "32-true"
