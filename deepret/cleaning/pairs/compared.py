"""What came out of comparing pairs, in columns, and on disk."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deepret.cleaning.features.base import Features
from deepret.cleaning.verification.base import Match, Verification
from deepret.files import write_whole


@dataclass(frozen=True, eq=False)
class Compared:
    """Pairs of which a map explains something, in columns of m, and how many were compared.

    Args:
        rows: (m, 2) int64, rows of the catalogue.
        tentative: (m,) int32 matches before verification.
        inliers: (m,) int32 of them that the map explains.
        cells: (m,) int32 of 64 in which they lie.
        transforms: (m, 3, 3) float64, from pixels of the first to pixels of the second.
        boxes: (m, 2, 4) float64, the rectangle around the inliers in pixels of each.
        count: pairs that were compared, those that have nothing in common among them.
        seconds: of one core that it took.
    """

    rows: npt.NDArray[np.int64]
    tentative: npt.NDArray[np.int32]
    inliers: npt.NDArray[np.int32]
    cells: npt.NDArray[np.int32]
    transforms: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]
    count: int
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """How much two photographs have in common, (m,): (inliers · cells²)^⅓ · min(1, 4 · inliers / tentative).

        Many inliers in one corner are a logo or a sign that two things share, so where they lie counts for more than
        how many there are. Less than a quarter of the matches are an accident; above that the ratio tells nothing.
        The powers were chosen on photographs of places and of covers, docs/cleaning.md has the others.
        """
        ratio = self.inliers / np.maximum(self.tentative, 1)
        found: npt.NDArray[np.float64] = np.cbrt(self.inliers * self.cells.astype(np.float64) ** 2)
        return found * np.minimum(1.0, 4 * ratio)

    def some(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Compared:
        """Some of the pairs; how many were compared stays."""
        found = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return Compared(**found, count=self.count, seconds=self.seconds)


COLUMNS = tuple(field.name for field in fields(Compared) if field.name not in ("count", "seconds"))


def compare(
    pairs: Sequence[tuple[int, int]], features: Callable[[int], Features], verification: Verification
) -> Compared:
    """Compares pairs of rows.

    Args:
        pairs: rows.
        features: gives those of a row.
        verification: matches two photographs.
    """
    start = time.perf_counter()
    found = [(pair, verification(features(pair[0]), features(pair[1]))) for pair in pairs]
    seconds = time.perf_counter() - start
    return columns([(pair, match) for pair, match in found if match is not None], len(pairs), seconds)


def columns(found: Sequence[tuple[tuple[int, int], Match]], count: int, seconds: float = 0.0) -> Compared:
    """Pairs and their matches in columns."""
    m = len(found)
    return Compared(
        rows=np.array([pair for pair, _ in found], np.int64).reshape(m, 2),
        tentative=np.array([match.tentative for _, match in found], np.int32),
        inliers=np.array([match.inliers for _, match in found], np.int32),
        cells=np.array([match.cells for _, match in found], np.int32),
        transforms=np.array([match.transform for _, match in found], np.float64).reshape(m, 3, 3),
        boxes=np.array([match.boxes for _, match in found], np.float64).reshape(m, 2, 4),
        count=count,
        seconds=seconds,
    )


def joined(parts: Iterable[Compared]) -> Compared:
    """Pairs one after the other."""
    some = [columns([], 0), *parts]
    found = {name: np.concatenate([getattr(part, name) for part in some]) for name in COLUMNS}
    return Compared(**found, count=sum(p.count for p in some), seconds=sum(p.seconds for p in some))


def save(path: Path, found: Compared) -> None:
    """Keeps pairs, whole or not at all.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    memory = io.BytesIO()
    columns = {name: getattr(found, name) for name in COLUMNS}
    np.savez(memory, **columns, count=np.int64(found.count), seconds=np.float64(found.seconds))
    write_whole(path, memory.getbuffer())


def load(path: Path) -> Compared | None:
    """The pairs in a file; None where there is none that is whole."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            columns = {name: file[name] for name in COLUMNS}
            return Compared(**columns, count=int(file["count"]), seconds=float(file["seconds"]))
    except Exception:  # zipfile and NumPy raise nearly anything on a damaged file
        return None
