from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from data.pictures import picture
from PIL import Image

from deepret.__main__ import main


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out.strip().splitlines()[-1])


Program = Callable[..., Ended]


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path, tmp_path: Path
) -> Iterator[Program]:
    """Runs ``deepret train`` or ``deepret eval`` in this process, in a folder of the test's own."""

    def run(name: str, *words: str, root: Path = tmp_path) -> Ended:
        flags = [w for w in words if w.startswith("-")]
        alone = flags == ["--help"] or name == "reproduce"
        output = [] if name == "clean" else [f"output={root / 'outputs'}"]
        given = any(word.startswith("cache=") for word in words)
        places = [] if alone else [*([] if given else [f"cache={cache}"]), *output]
        monkeypatch.setattr(sys, "argv", [name, *words, *places])
        capsys.readouterr()
        code = 0
        try:
            main(name)
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    shown = warnings.showwarning
    yield run
    warnings.showwarning = shown


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs of seven coloured patterns, four of each, in folders by label."""
    torch.manual_seed(0)
    for label in range(7):
        pattern = torch.randint(0, 256, (6, 6, 3), dtype=torch.uint8)
        for number in range(4):
            path = tmp_path / "photos" / f"thing{label}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(pattern.numpy()).resize((72 + 4 * number, 64), Image.Resampling.NEAREST)
            image.save(path)
    return tmp_path / "photos"


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """Twelve photographs without labels, no two alike."""
    torch.manual_seed(1)
    (tmp_path / "loose").mkdir()
    for number in range(12):
        pattern = torch.randint(0, 256, (6, 6, 3), dtype=torch.uint8)
        image = Image.fromarray(pattern.numpy()).resize((72, 64), Image.Resampling.NEAREST)
        image.save(tmp_path / "loose" / f"{number}.png")
    return tmp_path / "loose"


@pytest.fixture
def ukb(tmp_path: Path) -> Path:
    """Four photographs of UKB's, of which the last is a picture of ``listed``'s train."""
    folder = tmp_path / "ukb" / "full"
    folder.mkdir(parents=True)
    for number, seed in enumerate((21, 22, 23, 3)):
        picture(seed).save(folder / f"ukbench{number:05d}.jpg")
    return folder.parent
