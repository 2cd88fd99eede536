"""The University of Kentucky benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from deepret.benchmarks.metrics import Ranks, average_precision, found_in
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.truth import Question, Setting, Truth

GROUP = 4


class UKB(Benchmark):
    """Objects: 10,200 photographs, four of each, of which every one asks for its four.

    - Source: ukbench.zip of https://archive.org/details/ukbench unpacked into ROOT: ROOT/full/ukbench00000.jpg. Where
      there is no such folder, photographs in ROOT itself do.
    - Query rule: the whole photograph.
    - Positives: the four photographs of the object, consecutive in number, the query among them. Ignored: nothing.
    - Figures: ``ns``, how many of the four are among the first four, 0…4; recall@4 is a quarter of it.
    - Image size: the network's own.
    - Partial: fewer than 10,200 photographs.

    Nistér and Stewénius, Scalable recognition with a vocabulary tree, CVPR 2006.
    """

    name: ClassVar[str] = "ukb"
    settings: ClassVar[Mapping[str, Setting]] = {"": Setting(("group",))}
    folder: ClassVar[str] = "full"
    count: ClassVar[int] = 10_200

    def place(self) -> Path:
        """The folder ``full``, or the root where that is not there and photographs are."""
        full = super().place()
        return self.root if not full.is_dir() and any(self.root.glob("ukbench*.*")) else full

    def truth(self) -> Truth:
        """Known from the numbers alone."""
        return _numbered(self.count)

    def figures(self, ranks: Ranks, setting: str) -> dict[str, Tensor]:
        """Average precision, the N-S score and recall@4."""
        found = found_in(ranks, GROUP)
        return {"mAP": average_precision(ranks), "ns": found, f"recall@{GROUP}": found / GROUP}

    def remedy(self, folder: str) -> str:
        """What is to be unpacked there."""
        return ". Unpack ukbench.zip of https://archive.org/details/ukbench into the root."


@cache
def _numbered(count: int) -> Truth:
    names = [f"ukbench{number:05d}" for number in range(count)]
    groups = [names[first : first + GROUP] for first in range(0, count, GROUP)]
    return Truth(names, [Question(name, name, {"group": group}) for group in groups for name in group])
