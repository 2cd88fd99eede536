"""Tests of the choice of arithmetic."""

from pathlib import Path

import pytest
import torch

from deepret.training.precision import choose_precision


@pytest.mark.parametrize(
    ("flags", "depthwise", "expected"),
    [
        ("fpu avx512f avx512_bf16", False, "bf16-mixed"),
        ("fpu amx_bf16", False, "bf16-mixed"),
        ("fpu avx512_bf16", True, "32-true"),
        ("fpu avx2 avx512f", False, "32-true"),
    ],
)
def test_flags_of_the_cpu_decide(tmp_path: Path, flags: str, depthwise: bool, expected: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert choose_precision("cpu", depthwise, cpuinfo) == expected


def test_unknown_cpu_computes_in_float32(tmp_path: Path) -> None:
    assert choose_precision("cpu", False, tmp_path / "none") == "32-true"


def test_gpu_takes_bf16_where_it_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert choose_precision("auto", True) == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert choose_precision("gpu") == "16-mixed"
