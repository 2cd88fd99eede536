"""What both benchmarks of Google Landmarks v2 have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deepret.benchmarks.ground_truth.landmarks import USAGES
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.truth import Setting


class GLDv2(Benchmark):
    """Photographs in folders by the first characters of their ids; private and public queries."""

    settings: ClassVar[Mapping[str, Setting]] = {usage: Setting((usage,)) for usage in USAGES}
    ranked: ClassVar[str]
    """The folder of what is ranked, beside that of the queries."""

    def usable(self, asked: int) -> list[tuple[Sequence[str], int]]:
        """All queries in one: how many are private, and how many public, is not compared."""
        return [(USAGES, asked)]

    def name_of(self, path: Path, folder: Path) -> str:
        """Its id, whatever folder it lies in."""
        return path.stem

    def remedy(self, folder: str) -> str:
        """What is to be put there."""
        return f": put {self.ranked} and test of https://github.com/cvdfoundation/google-landmark there."
