"""INRIA Holidays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.sources.rankings import Rankings, read_rankings
from deepret.benchmarks.truth import FETCHED, Question, Setting, Truth, plain, twice
from deepret.data.folder import images_below
from deepret.errors import UserError


class Holidays(Benchmark):
    """Holiday photographs: 1,491 in 500 groups, of which the first of each group asks for the others.

    - Source: https://lear.inrialpes.fr/~jegou/data.php: jpg1.tar.gz and jpg2.tar.gz unpacked into ROOT/jpg, and
      holidays_images.dat of the evaluation package in ROOT, without which the photographs' own names say what there is.
    - Query rule: the whole photograph; names that end in 00 ask.
    - Positives: the other photographs of the group, whose names differ in the last two digits. Ignored: the query.
    - Image size: the network's own; published figures use a larger side of 1024, some of upright photographs, as all
      photographs are here whose EXIF says how they were held.
    - Partial: fewer than 1,491 photographs. Without the list nothing says which ones are missing: they count among the
      distractors then, of which there are none.
    - Rankings are read as the official program has them: QUERY 0 NAME 1 NAME …, a place before each name, from 0. The
      places count, so that a file may leave out what stands between; those behind the query's own are one less.

    Jégou et al., Hamming embedding and weak geometric consistency for large scale image search, ECCV 2008.
    """

    name: ClassVar[str] = "holidays"
    settings: ClassVar[Mapping[str, Setting]] = {"": Setting(("group",), ("itself",))}
    folder: ClassVar[str] = "jpg"
    count: ClassVar[int] = 1491
    asked: ClassVar[int | None] = 500

    def truth(self) -> Truth:
        """From ``holidays_images.dat``, or from the photographs' names.

        Raises:
            UserError: neither is there, it cannot be read, or a name that is none of Holidays', or twice.
        """
        listed, folder = self.root / "holidays_images.dat", self.root / self.folder
        if listed.is_file():
            try:
                names = [plain(word) for word in listed.read_text("utf-8-sig").split()]
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"{listed}: cannot be read ({error}); it names a photograph a line.") from None
        elif folder.is_dir():
            names = sorted(self.name_of(path, folder) for path in images_below(folder))
        else:
            raise UserError(
                f"benchmark.root={self.root}: there is neither {listed.name} nor {self.folder} in it"
                f"{self.remedy(self.folder)}{FETCHED}"
            )
        groups = defaultdict(list)
        for name in names:
            if len(name) != 6 or not name.isdecimal():
                raise UserError(f"benchmark.root={self.root}: {name} is no name of Holidays', such as 100001.")
            groups[name[:4]].append(name)
        if (again := twice(names)) is not None:
            raise UserError(f"{listed}: {again} stands there twice.")
        questions = [
            Question(name, name, {"group": [n for n in groups[name[:4]] if n != name], "itself": (name,)})
            for name in names
            if name.endswith("00")
        ]
        return Truth(names, questions)

    def read_rankings(self, path: Path) -> Rankings:
        """With a place before each name."""
        return read_rankings(path, places=True)

    def remedy(self, folder: str) -> str:
        """What is to be unpacked there."""
        return ". Unpack jpg1.tar.gz and jpg2.tar.gz of https://lear.inrialpes.fr/~jegou/data.php into jpg."
