from __future__ import annotations

import errno
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepret.errors import UserError
from deepret.training.proposals.map_file import MapFile

SIDES = st.integers(1, 6)


@given(st.lists(st.tuples(SIDES, SIDES, SIDES), max_size=8))
@settings(max_examples=30)
def test_gives_back_what_it_took(shapes: list[tuple[int, int, int]]) -> None:
    taken = [torch.randn(shape) for shape in shapes]
    file = MapFile(Path(tempfile.gettempdir()))
    for maps in taken:
        file.write(maps.transpose(1, 2))  # not contiguous
    assert file.size == sum(2 * maps.numel() for maps in taken)
    given = file.read()
    assert len(given) == len(taken)
    assert all(torch.equal(a, b.transpose(1, 2).half()) for a, b in zip(given, taken, strict=True))


def mapped(folder: Path) -> int:
    """The files of a folder that this process has mapped."""
    return sum(str(folder) in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="only Linux says what is mapped")
def test_the_file_goes_with_the_last_of_its_maps(tmp_path: Path) -> None:
    file = MapFile(tmp_path)
    for _ in range(3):
        file.write(torch.rand(4, 5, 6))
    given = file.read()
    assert list(tmp_path.iterdir()) == []
    assert mapped(tmp_path) == 1
    last = given.pop()
    given.clear()
    assert mapped(tmp_path) == 1
    assert last.sum() > 0
    del last
    assert mapped(tmp_path) == 0


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(UserError, match=r"maps cannot be kept there: the disk is full.*stages\.map_variants=1"):
        MapFile(tmp_path).write(torch.rand(1, 2, 3))


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: maps cannot be kept there: No such file"):
        MapFile(tmp_path / "nowhere")
