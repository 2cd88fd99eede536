"""What the tests of published sets share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deepret.data import folder, photographs
from deepret.data.catalogue import Catalogue
from deepret.data.sets import imagenet, published, voc

Table = Callable[[Catalogue], list[tuple[str, str, str]]]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is told of, in its order."""
    found: list[str] = []
    for module in (published, photographs, folder, imagenet, voc):
        monkeypatch.setattr(module, "report", lambda text: found.append(str(text)))
    return found


@pytest.fixture
def table() -> Table:
    """Path, label and split of each row."""
    return lambda found: list(zip(found.paths, found.labels, found.splits, strict=True))


@pytest.fixture
def text(photos: Path) -> Callable[[str, str], Path]:
    """Writes a text file below the folder of the photographs."""

    def written(name: str, content: str) -> Path:
        path = photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return written
