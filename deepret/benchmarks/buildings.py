"""Oxford5k's protocol, which Paris6k has too: five boxes for each of eleven landmarks; good, ok and junk answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from deepret.benchmarks.ground_truth.pickled import read_revisited
from deepret.benchmarks.ground_truth.text import POSITIVES, read_text
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.sources.names import Form
from deepret.benchmarks.sources.rankings import Rankings, read_rankings
from deepret.benchmarks.truth import FETCHED, Setting, Truth
from deepret.errors import UserError

LOOKS = re.compile(r"[a-z_]+_[0-9]{6}")
"""How all photographs are called."""


class Buildings(Benchmark):
    """Landmarks of one city, from the published text files, or from a pickle beside the photographs' folder."""

    settings: ClassVar[Mapping[str, Setting]] = {"": Setting(("good", "ok"), ("junk",))}
    folder: ClassVar[str] = "images"
    asked: ClassVar[int | None] = 55
    prefix: ClassVar[str] = ""
    """What stands before an image's name in the query files."""
    archives: ClassVar[Mapping[str, str]]
    """What is unpacked into which folder below the root."""
    site: ClassVar[str]

    def truth(self) -> Truth:
        """The text files of ``groundtruth``; without that folder ``gnd_NAME.pkl``, which has good among ok.

        Raises:
            UserError: neither is there, or it cannot be read.
        """
        pickled, folder = self.root / f"gnd_{self.name}.pkl", self.root / "groundtruth"
        if pickled.is_file() and not folder.is_dir():
            found = read_revisited(pickled, ("ok", "junk"))
            return replace(found, questions=[replace(q, lists={"good": (), **q.lists}) for q in found.questions])
        if not folder.is_dir():
            raise UserError(
                f"benchmark.root={self.root}: there is no folder {folder}{self.remedy('groundtruth')} "
                f"{pickled.name} in {self.root} will do, too.{FETCHED}"
            )
        return Truth((), read_text(folder, self.prefix))

    def read_rankings(self, path: Path) -> Rankings:
        """Rankings whose names may have the folder and the prefix of the published files."""
        return read_rankings(path, form=Form(self.prefix, LOOKS, f"{self.name[:-2]}_000001", POSITIVES))

    def name_of(self, path: Path, folder: Path) -> str:
        """Its file's name, whatever folder it lies in."""
        return path.stem

    def remedy(self, folder: str) -> str:
        """What is to be unpacked there."""
        return f". Unpack {self.archives[folder]} of {self.site} into it."
