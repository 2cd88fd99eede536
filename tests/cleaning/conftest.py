"""What the tests of cleaning share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.pictures import picture

from deepret.cleaning.features.base import Extractor
from deepret.data.scenes.source import Scenes


class Counting(Extractor):
    """Looks at a photograph by its colours on a grid; ``calls`` counts how often."""

    def __init__(self, size: int = 64, count: int = 64) -> None:
        super().__init__(size, count)
        self._calls: list[int] = []

    @property
    def calls(self) -> int:
        return len(self._calls)

    def extract(self, image: Any) -> tuple[Any, Any]:
        self._calls.append(1)
        parts = image[:48, :48].reshape(8, 6, 8, 6).swapaxes(1, 2).reshape(64, 36)
        places = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(64, 2) * 6.0 + 3
        return places, parts


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of eight photographs, 0.png … 7.png."""
    root = tmp_path / "photos"
    root.mkdir()
    for seed in range(8):
        picture(seed, 64, 48).save(root / f"{seed}.png")
    return root


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two things, 0 and 1, five photographs of each from a little further left: 0-0.png …; and 2-0.png, 3-0.png."""
    root = tmp_path_factory.mktemp("crops")
    for thing in range(2):
        whole = picture(40 + thing, 260, 200)
        for i in range(5):
            whole.crop((12 * i, 8 * i, 12 * i + 200, 8 * i + 160)).save(root / f"{thing}-{i}.png")
    for thing in (2, 3):
        picture(60 + thing, 200, 160).save(root / f"{thing}-0.png")
    return root


@pytest.fixture(scope="session")
def scenes(cache: Path) -> Scenes:
    """Six rendered landmarks of six pictures, of which two in five are under a wrong label."""
    found = Scenes(6, 1, 1, 6, 0, 288, noise=0.4, seed=1, cache=str(cache))
    found.folder()
    return found
