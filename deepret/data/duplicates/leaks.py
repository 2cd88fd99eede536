"""Leakage: a photograph that is trained on, and a copy of it in what is scored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from deepret.data.catalogue import SPLITS, Catalogue
from deepret.data.check import first
from deepret.data.duplicates.pairs import near_duplicates
from deepret.data.duplicates.prints import Prints
from deepret.errors import UserError

SCORED = ("val", "test", "query", "gallery")
"""Splits that choose a checkpoint or give its score; distractors are right for nothing."""
NAMED = 3
"""So many pairs are named in a message."""


class Scored(NamedTuple):
    """The photographs of a benchmark, by its name."""

    name: str
    prints: Prints


class Copies(NamedTuple):
    """Two files with one photograph: paths, names for people, what each is for, and how alike they are, 0…1.

    The one of train is the first.
    """

    paths: tuple[Path, Path]
    names: tuple[str, str]
    of: tuple[str, str]
    similarity: float

    @property
    def leak(self) -> bool:
        """Whether the first is trained on and the second scored."""
        return self.of[0] == "train" and self.of[1] not in ("train", "distractor")


def copies(
    catalogue: Catalogue,
    found: Prints,
    scored: Collection[str],
    benchmark: Scored | None,
    within: bool,
    cache: Path | None = None,
) -> list[Copies]:
    """The near-duplicates of train and what is scored, leaks first, or of all photographs with each other.

    Args:
        catalogue: the photographs.
        found: their hashes.
        scored: splits.
        benchmark: another set that is scored, compared with train.
        within: whether all photographs of the catalogue are compared.
        cache: where pairs that were found are kept, or None.
    """
    learned = [i for i, split in enumerate(catalogue.splits) if split == "train"]
    train = found.subset(learned)
    pairs: list[tuple[int, int, float]]
    if within:
        order = sorted(range(len(found)), key=lambda i: catalogue.splits[i] != "train")  # which stand for others
        near = near_duplicates(found.subset(order), None, cache)
        pairs = [(order[pair.first], order[pair.second], pair.similarity) for pair in near]
    else:
        asked = [i for i, split in enumerate(catalogue.splits) if split in scored]
        near = near_duplicates(train, found.subset(asked), cache)
        pairs = [(learned[pair.first], asked[pair.second], pair.similarity) for pair in near]
    seen = []
    for *rows, similarity in pairs:
        one, two = sorted(rows, key=lambda i: (SPLITS.index(catalogue.splits[i]), i))
        seen.append(
            Copies(
                (found.path(one), found.path(two)),
                (catalogue.paths[one], catalogue.paths[two]),
                (catalogue.splits[one], catalogue.splits[two]),
                similarity,
            )
        )
    if benchmark is not None:
        for pair in near_duplicates(train, benchmark.prints, cache):
            paths = (train.path(pair.first), benchmark.prints.path(pair.second))
            names = (catalogue.paths[learned[pair.first]], str(paths[1]))
            seen.append(Copies(paths, names, ("train", benchmark.name), pair.similarity))
    return sorted(seen, key=lambda pair: (not pair.leak, *map(_place, pair.of), -pair.similarity))


def counted(pairs: Iterable[Copies]) -> dict[str, int]:
    """How many photographs of each split, or benchmark, are copies of train's."""
    leaks: dict[str, set[Path]] = {}
    for pair in pairs:
        if pair.leak:
            leaks.setdefault(pair.of[1], set()).add(pair.paths[1])
    return {name: len(paths) for name, paths in leaks.items()}


def told(pairs: Sequence[Copies]) -> str:
    """The leaks among the pairs in a few words, the first ones by name."""
    leaks = [pair for pair in pairs if pair.leak]
    counts = " and ".join(f"{count:,} of {name}" for name, count in counted(leaks).items())
    named = first((f"{pair.names[1]} = {pair.names[0]}" for pair in leaks), NAMED)
    return f"leakage: photographs that are scored are in train too, {counts} ({named})"


def refuse(pairs: Sequence[Copies], allow: Collection[str]) -> None:
    """Ends the program where there are leaks that are not allowed by the name of the split or benchmark.

    Raises:
        UserError: it names the first pairs, and how to let them pass.
    """
    wrong = [pair for pair in pairs if pair.leak and pair.of[1] not in allow]
    if wrong:
        names = ",".join(dict.fromkeys([*allow, *counted(wrong)]))
        raise UserError(
            f"{told(wrong)}, so the score would not be one of unseen photographs: take one of each pair out, or "
            f"let them pass with allow=[{names}]; deepret data lists and draws them all."
        )


def _place(name: str) -> int:
    """A split's place among the splits; a benchmark comes last."""
    return SPLITS.index(name) if name in SPLITS else len(SPLITS)
