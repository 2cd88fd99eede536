from __future__ import annotations

import copy
import errno
import functools
import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.search import code_cache
from deepret.search.code_cache import CodeCache, fingerprint, photos_key


@dataclass
class Setting:
    levels: int = 3


class Part(nn.Module):
    """A part with every kind of setting that a part may have."""

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.scales = [1.0, 0.5]
        self.names = {"b": 2, "a": 1}
        self.kinds = {"x", "y", "z"}
        self.grid = torch.arange(3)  # not registered
        self.table = torch.zeros(2).numpy()
        self.setting = Setting()
        self.norm = functools.partial(torch.nn.functional.normalize, dim=1)
        self.register_buffer("mean", torch.zeros(3), persistent=False)
        self.layer = nn.Linear(3, 2)
        nn.init.ones_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)


CHANGES = {
    "size": lambda part: setattr(part, "size", 5),
    "size as text": lambda part: setattr(part, "size", "4"),
    "scales": lambda part: part.scales.append(2.0),
    "names": lambda part: part.names.update(a=3),
    "kinds": lambda part: part.kinds.add("w"),
    "grid": lambda part: part.grid.add_(1),
    "table": lambda part: part.table.fill(1),
    "setting": lambda part: setattr(part.setting, "levels", 4),
    "partial": lambda part: setattr(part, "norm", functools.partial(torch.nn.functional.normalize, dim=0)),
    "function": lambda part: setattr(part, "norm", torch.nn.functional.relu),
    "unsaved buffer": lambda part: part.mean.add_(1),
    "weight": lambda part: part.layer.weight.data[0, 0].add_(1e-6),
    "another class": lambda part: setattr(part, "layer", nn.LazyLinear(2)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_weights_or_settings_changes_the_fingerprint(name: str) -> None:
    part = Part()
    before = fingerprint(part)
    assert fingerprint(copy.deepcopy(part)) == before
    if name == "another class":  # same attributes, other class
        part.layer.__class__ = type("Other", (nn.Linear,), {})
    else:
        CHANGES[name](part)
    assert fingerprint(part) != before


def test_modes_and_gradients_do_not_change_the_fingerprint() -> None:
    part = Part()
    before = fingerprint(part)
    part.eval()
    part.layer.weight.requires_grad_(False)
    part.layer.weight.grad = torch.ones(2, 3)
    assert fingerprint(part) == before


ELSEWHERE = """
import functools, torch
from deepret.search.code_cache import fingerprint
part = torch.nn.Conv2d(1, 1, 1)
torch.nn.init.ones_(part.weight), torch.nn.init.zeros_(part.bias)
part.kinds, part.names = {"x", "y", "z", "w", (1, 2)}, {"b": {"c", "d"}, "a": torch.float32}
part.norm = functools.partial(torch.nn.functional.normalize, dim=1)
part.thing = object()
found = fingerprint(part)
"""


@pytest.mark.slow
def test_another_process_gets_the_same_fingerprint() -> None:
    """Sets, objects and functions print differently in every process: none of that may reach the key."""
    here: dict[str, str] = {}
    exec(ELSEWHERE, here)
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    program = [sys.executable, "-c", f"{ELSEWHERE}\nprint(found)"]
    done = subprocess.run(program, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == here["found"], done.stderr


def test_the_photographs_key_knows_path_size_time_box_and_order(tmp_path: Path) -> None:
    one, two = Photo(tmp_path / "1.jpg"), Photo(tmp_path / "2.jpg")
    for photo in (one, two):
        photo.path.write_bytes(b"1234")
        os.utime(photo.path, ns=(10**18, 10**18))
    keys = [photos_key([one, two]), photos_key([two, one]), photos_key([one]), photos_key([one, one])]
    keys.append(photos_key([one, Photo(two.path, (0.0, 0.0, 2.0, 2.0))]))
    os.utime(two.path, ns=(10**18, 10**18 + 1))
    keys.append(photos_key([one, two]))
    two.path.write_bytes(b"12345")
    os.utime(two.path, ns=(10**18, 10**18))
    keys.append(photos_key([one, two]))
    assert len(set(keys)) == len(keys)
    with pytest.raises(UserError, match=r"3.jpg cannot be read: No such file"):
        photos_key([Photo(tmp_path / "3.jpg")])


def test_keeps_codes_and_leaves_nothing_else(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path / "new/folder")
    codes = torch.randn(5, 3)
    assert cache.read("key", 5) is None
    cache.write("key", codes)
    assert torch.equal(cache.read("key", 5), codes)
    assert cache.read("other", 5) is None
    assert cache.read("key", 6) is None
    assert [path.name for path in cache.folder.iterdir()] == ["key.safetensors"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign", "folder"])
def test_a_damaged_file_reads_as_absent_and_is_written_anew(tmp_path: Path, damage: str) -> None:
    cache, path = CodeCache(tmp_path), tmp_path / "key.safetensors"
    codes = torch.randn(50, 3)
    cache.write("key", codes)
    whole = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(whole[:-7])
    elif damage == "flipped":
        path.write_bytes(whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:])
    elif damage == "foreign":
        path.write_bytes(b"PK\x03\x04" * 100)
    else:
        path.unlink()
        path.mkdir()
    assert cache.read("key", 50) is None
    if damage == "folder":
        path.rmdir()
    cache.write("key", codes)
    assert torch.equal(cache.read("key", 50), codes)


def test_a_cache_that_cannot_be_made_warns_once_and_never_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = CodeCache(tmp_path / "file/folder")
    with pytest.warns(UserWarning, match=r"codes are not kept: .*The work goes on"):
        cache.write("key", torch.ones(1, 1))
    cache.write("key", torch.ones(1, 1))  # a second warning would be an error here
    assert cache.read("key", 1) is None


def test_a_full_disk_warns_and_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CodeCache(tmp_path)
    cache.write("key", torch.zeros(2, 2))

    def full(tensors: object, name: str, metadata: object) -> None:
        Path(name).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(code_cache, "save_file", full)
    with pytest.warns(UserWarning, match="the disk is full"):
        cache.write("key", torch.ones(2, 2))
    assert torch.equal(cache.read("key", 2), torch.zeros(2, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["key.safetensors"]


def test_the_fingerprint_holds_the_code_that_describes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("data/photo.py", "models/sub/pool.py", "data/scenes/wall.py", "search/exact.py", "search/describe.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a = 1")
    monkeypatch.setattr(code_cache.deepret, "__file__", str(tmp_path / "__init__.py"))

    def found() -> str:
        return code_cache.software.__wrapped__()

    before = found()
    (tmp_path / "data/scenes/wall.py").write_text("a = 2")
    (tmp_path / "search/exact.py").write_text("a = 2")
    assert found() == before
    for name in ("data/photo.py", "models/sub/pool.py", "search/describe.py"):
        (tmp_path / name).write_text("a = 2")
        assert found() != before
        before = found()
    monkeypatch.setattr(code_cache.PIL, "__version__", "0.0")
    assert found() != before


def test_the_fingerprint_holds_parts_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "parts_of_mine.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for factor in (1, 2):
        file.write_text(
            f"from torch import nn\n\nclass Mine(nn.Module):\n    def forward(self, x):\n        return {factor} * x\n"
        )
        monkeypatch.delitem(sys.modules, "parts_of_mine", raising=False)
        found.append(fingerprint(nn.Sequential(importlib.import_module("parts_of_mine").Mine())))
    assert found[0] != found[1]
    assert fingerprint(nn.Sequential(sys.modules["parts_of_mine"].Mine())) == found[1]
