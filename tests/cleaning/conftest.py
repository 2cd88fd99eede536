"""What the tests of cleaning share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.pictures import picture

from deepret.cleaning.features.base import Extractor


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
