"""Weights from files: what fits goes in, what does not is refused in one message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from deepret.errors import UserError
from deepret.models.backbone.weights import fit_weights, read_weights


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_reads_what_was_written(tmp_path: Path, suffix: str) -> None:
    path, state = tmp_path / f"weights{suffix}", nn.Linear(3, 2).state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    read = read_weights(path)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], state[key]) for key in state)


def test_finds_a_wrapped_state_dict_of_data_parallel_training(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {"module.weight": torch.ones(1)}}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth").keys() == {"weight"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as weights"),
        (b"no weights", "cannot be read as weights"),
        ([1, 2], "holds no state dict"),
        ({"epoch": 3}, "holds no state dict"),
        ({}, "holds no state dict"),
        (Trap(), "cannot be read as weights"),
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_refuses_other_files(tmp_path: Path, content: object, said: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    said = said if name == "w.pth" else "cannot be read as weights"
    with pytest.raises(UserError, match=re.escape(f"backbone.weights={path}: ") + said):
        read_weights(path)


def test_refuses_a_truncated_file(tmp_path: Path) -> None:
    torch.save({"weight": torch.rand(1000)}, tmp_path / "w.pth")
    content = (tmp_path / "w.pth").read_bytes()
    for length in (10, 1000, len(content) - 10):
        (tmp_path / "w.pth").write_bytes(content[:length])
        with pytest.raises(UserError, match="cannot be read as weights"):
            read_weights(tmp_path / "w.pth")


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            read_weights(path)


def test_names_what_does_not_fit() -> None:
    state = {"weight": torch.zeros(2, 4), "other": torch.zeros(1)}
    with pytest.raises(UserError, match=r"1 missing: bias; 1 unknown: other; 1 .*weight \(2, 4\) for \(2, 3\)"):
        fit_weights(nn.Linear(3, 2), state, "backbone.weights=w.pth")


def test_names_the_first_few_only() -> None:
    with pytest.raises(UserError, match="4 unknown: a0, a1, a2, …"):
        fit_weights(nn.Identity(), {f"a{i}": torch.zeros(1) for i in range(4)}, "here")


def test_takes_spare_tensors_and_misses_no_counters() -> None:
    norm = nn.BatchNorm2d(2)
    state = {k: v + 1 for k, v in norm.state_dict().items() if k != "num_batches_tracked"}
    fit_weights(norm, state | {"fc.weight": torch.zeros(3)}, "here", spare={"fc.weight"})
    assert norm.running_mean is not None
    assert norm.running_mean.tolist() == [1, 1]
