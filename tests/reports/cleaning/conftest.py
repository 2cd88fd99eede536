from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepret.cleaning.boxes.propagation import Settled
from deepret.cleaning.cleaned import CleanedClass
from deepret.cleaning.pairs.compared import Compared
from deepret.cleaning.pairs.threshold import Threshold
from deepret.cleaning.stages import Cleaned
from deepret.data.catalogue import Catalogue

SIZE = (200, 100)
"""Of every photograph, larger than its thumbnail."""

Pairs = Sequence[tuple[int, int]]
Make = Callable[..., Cleaned]


def compared(pairs: Pairs, count: int, inliers: int = 25) -> Compared:
    """Pairs of score (inliers · 64²)^⅓."""
    m = len(pairs)
    return Compared(
        rows=np.array(pairs, np.int64).reshape(m, 2),
        tentative=np.full(m, 2 * inliers, np.int32),
        inliers=np.full(m, inliers, np.int32),
        cells=np.full(m, 64, np.int32),
        transforms=np.tile(np.eye(3), (m, 1, 1)),
        boxes=np.zeros((m, 2, 4)),
        count=count,
    )


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """Makes what a set became: of each class its size, how many of it are kept, and its links between places in it."""

    def make(
        classes: dict[str, tuple[int, int, Pairs]],
        reasons: Sequence[str] = ("no verified pair with another of its class",),
        across: tuple[Pairs, int] = ((), 0),
        threshold: Threshold | None = None,
        name: Callable[[str, int], str] = lambda label, i: f"{label}/{i}.png",
        photographs: bool = True,
    ) -> Cleaned:
        root = tmp_path / "set"
        paths: list[str] = []
        labels: list[str] = []
        found = []
        for label, (size, kept, links) in classes.items():
            rows = list(range(len(paths), len(paths) + size))
            paths += [name(label, i) for i in range(size)]
            labels += [label] * size
            why = {row: reasons[i % len(reasons)] for i, row in enumerate(rows[kept:])}
            verified = compared([(rows[a], rows[b]) for a, b in links], size * (size - 1) // 2)
            found.append(
                CleanedClass(label, rows, dict.fromkeys(rows[:kept], label), why, verified, verified.count, 20.0)
            )
        n = len(paths)
        if photographs:
            for i, path in enumerate(paths):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", SIZE, (10 + 20 * (i % 12), 80, 160)).save(root / path)
        first = np.full((n, 4), np.nan)
        last = first.copy()
        for one in found:
            for row in one.labels:
                first[row], last[row] = (50, 20, 100, 60), (40, 10, 120, 80)
        catalogue = Catalogue(root, paths, labels, ["train"] * n, [SIZE] * n, [[] for _ in range(n)], [False] * n)
        within = np.concatenate([np.zeros(0), *(one.verified.scores for one in found)])
        return Cleaned(
            catalogue=catalogue,
            classes=found,
            boxes=Settled(first, last, 7),
            threshold=threshold,
            rate=0.001,
            across=compared(*across),
            seconds={"features": 63.0, "pairs": 0.5},
            within=within,
        )

    return make
