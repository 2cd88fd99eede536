"""The hashes of many photographs, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deepret.data.check import kept_for, look_at_all
from deepret.data.duplicates.fingerprint import BITS, packed


@dataclass(frozen=True, eq=False)
class Prints:
    """Photographs in columns of n rows.

    Args:
        root: the folder that the names are relative to.
        names: paths in it, or absolute.
        bits: packed hashes (n, 32) uint8.
        hashed: which have a hash (n,) bool.
        wrong: what is wrong with a file, by its row.
    """

    root: Path
    names: list[str]
    bits: npt.NDArray[np.uint8]
    hashed: npt.NDArray[np.bool_]
    wrong: dict[int, str]

    def __len__(self) -> int:
        return len(self.names)

    def path(self, i: int) -> Path:
        """The file of a row."""
        return self.root / self.names[i]

    def subset(self, rows: Sequence[int]) -> Prints:
        """Some rows, in their order."""
        chosen = np.array(rows, np.int64)
        wrong = {place: self.wrong[i] for place, i in enumerate(rows) if i in self.wrong} if self.wrong else {}
        return Prints(self.root, [self.names[i] for i in rows], self.bits[chosen], self.hashed[chosen], wrong)

    @property
    def flat(self) -> int:
        """How many show too little to have a hash."""
        return len(self) - int(self.hashed.sum()) - len(self.wrong)


def prints(root: Path, paths: Sequence[str], cache: Path | None) -> Prints:
    """The hashes of a folder's photographs; those that have been looked at are not decoded again.

    Args:
        root: the folder.
        paths: photographs in it, or anywhere by an absolute path.
        cache: where it is kept what was found, or None.
    """
    groups: dict[Path, list[int]] = {}
    known: dict[Path, Path] = {}
    for i, path in enumerate(paths):
        groups.setdefault(_looked_at_in(root, Path(path), cache, known), []).append(i)
    bits, hashed = np.zeros((len(paths), BITS // 8), np.uint8), np.zeros(len(paths), bool)
    wrong: dict[int, str] = {}
    for folder, rows in groups.items():
        seen = look_at_all(folder, [_name(folder, root / paths[i]) for i in rows], cache)
        some = [(i, what.hash) for i, what in zip(rows, seen, strict=True) if what.hash]
        wrong |= {i: what.wrong for i, what in zip(rows, seen, strict=True) if what.wrong}
        if some:
            places = [i for i, _ in some]
            bits[places], hashed[places] = packed([text for _, text in some]), True
    return Prints(root, list(paths), bits, hashed, wrong)


def _looked_at_in(root: Path, path: Path, cache: Path | None, known: dict[Path, Path]) -> Path:
    """The folder with which it is kept what a photograph is: for one elsewhere that of its own data, if there is any.

    Args:
        root: the folder of the others.
        path: in it, or absolute.
        cache: where it is kept.
        known: the answers for folders.
    """
    if cache is None or not path.is_absolute() or path.is_relative_to(root.absolute()):
        return root
    if path.parent not in known:
        kept = (folder for folder in path.parents if kept_for(folder, cache).is_file())
        known[path.parent] = next(kept, root)
    return known[path.parent]


def _name(folder: Path, path: Path) -> str:
    """What a photograph is called in a folder."""
    for above in (folder, folder.absolute()):
        if path.is_relative_to(above):
            return path.relative_to(above).as_posix()
    return str(path)
