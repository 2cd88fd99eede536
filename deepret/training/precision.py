"""Chooses the arithmetic that this machine is fast in."""

from __future__ import annotations

from pathlib import Path

import torch


def choose_precision(accelerator: str = "auto", depthwise: bool = False, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Lightning's name for the fastest precision that the machine trains a network in.

    bfloat16 on a CPU takes half of the time where there are instructions for it (avx512_bf16, amx_bf16) and 16 times as
    long where there are none, so the CPU's flags decide. Depthwise convolutions go backward slowly in bfloat16: a
    network of them takes 1.2 times as long as in float32, with the instructions.

    Args:
        accelerator: Lightning's name; ``auto`` takes a GPU where there is one.
        depthwise: whether the backbone is made of depthwise convolutions.
        cpuinfo: the file that lists the CPU's flags.
    """
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "16-mixed"
    if depthwise:
        return "32-true"
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return "32-true"
    return "bf16-mixed" if {"avx512_bf16", "amx_bf16"} & set(flags.split()) else "32-true"
