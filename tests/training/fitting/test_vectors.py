"""Vectors on disk come back in the order that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deepret.errors import UserError
from deepret.training.fitting.vectors import VectorFile


@pytest.mark.parametrize("count", [1, 7, 9000])
@pytest.mark.parametrize("sorted_already", [True, False])
def test_any_order(tmp_path: Path, count: int, sorted_already: bool) -> None:
    given = torch.randn(count, 3)
    order = torch.arange(count) if sorted_already else torch.randperm(count)
    file = VectorFile(tmp_path / "cache")
    for block in torch.split(given, 5 if count < 10 else 4000):
        file.write(block)
    assert torch.equal(file.read(order), given[order])
    assert list((tmp_path / "cache").iterdir()) == []


def test_none(tmp_path: Path) -> None:
    file = VectorFile(tmp_path)
    file.write(torch.empty(0, 3))
    assert file.read(torch.arange(0)).shape == (0, 3)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match="vectors cannot be kept there"):
        VectorFile(tmp_path / "cache")
