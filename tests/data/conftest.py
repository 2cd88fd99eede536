"""What the tests of the data share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a small photograph below a folder of the test: ``write("a/1.jpg", 40, 30)``."""

    def written(name: str, width: int = 40, height: int = 30, folder: Path = tmp_path / "photos") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(sum(name.encode()))
        coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
        return path

    return written


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The folder that ``write`` writes below."""
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder
