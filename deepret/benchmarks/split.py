"""The benchmark of any catalogue: its own val or test split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor

from deepret.benchmarks.result import Describe, Result, score
from deepret.benchmarks.searched import Index
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError


class Split:
    """Searches a split of the user's catalogue.

    - Source: the catalogue.
    - Query rule: leave one out: each image of the split queries all others. Where test is asked for and the catalogue
      has the splits ``query`` and ``gallery``, each query against the gallery instead.
    - Positives: the images with the query's label; a query without any is left out and counted. Distractors, and images
      without a label, are ranked but are right for no query. Ignored: the query itself.
    - Image size: the network's own. Never partial.

    Args:
        catalogue: what to search.
        split: which split; test is for the last word, val for choices.
        distractors: whether the distractors are ranked too.
        recalls: the k of recall@k.
        index: gives an empty index to search with; none compares everything, exactly.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        split: Literal["val", "test"] = "test",
        distractors: bool = True,
        recalls: Sequence[PositiveInt] = (1, 5, 10),
        index: Callable[[], Index] | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.split = split
        self.distractors = distractors
        self.recalls = list(recalls)
        self.index = index

    @property
    def name(self) -> str:
        """``split``; the val split says so."""
        return "split" if self.split == "test" else "split (val)"

    def evaluate(self, describe: Describe) -> Result:
        """Describes the split once and scores it.

        Raises:
            UserError: nothing in the split, or no two images of it with one label.
        """
        found = self.catalogue.splits
        pairs = self.split == "test" and "query" in found and "gallery" in found
        asked, ranked = ("query", "gallery") if pairs else (self.split, self.split)
        queries = [i for i, s in enumerate(found) if s == asked]
        database = [i for i, s in enumerate(found) if s == ranked]
        if not queries:
            raise self._empty(found)
        extra = [i for i, s in enumerate(found) if s == "distractor"] if self.distractors else []
        labels = self.catalogue.label_ids()
        positives, itself = _positives(labels, queries, database)
        usable = [row for row, p in enumerate(positives) if len(p)]
        if not usable:
            raise UserError(
                f"benchmark=split: no image of split {asked!r} in {self.catalogue.root} has the label of "
                f"{'an image of split gallery' if pairs else 'another'}, so there is nothing to find: give labels to "
                f"the images, and at least one label to two of them."
            )
        photos = [self.catalogue.photo(i) for i in database + extra]
        asking = [self.catalogue.photo(queries[row]) for row in usable]
        codes = describe(photos)
        counts = {"distractors": len(extra), "left_out": len(queries) - len(usable)}
        return score(
            self.name,
            (asking, describe(asking) if pairs else codes[torch.tensor(usable)]),
            (photos, codes),
            [positives[row] for row in usable],
            None if pairs else [itself[row] for row in usable],
            recalls=self.recalls,
            counts=counts,
            index=None if self.index is None else self.index(),
        )

    def _empty(self, found: list[str]) -> UserError:
        there = ", ".join(f"{s} ({found.count(s)})" for s in sorted(set(found))) or "no image at all"
        return UserError(
            f"benchmark=split: {self.catalogue.root} has no images of split {self.split!r} (it has: {there}). "
            f"Give some classes split={self.split} in images.csv, or a query and a gallery split, "
            f"or take benchmark.split={'val' if self.split == 'test' else 'test'}; a folder without images.csv has as "
            f"many as data.test_share and data.val_share say."
        )


def _positives(labels: Tensor, queries: list[int], database: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Of each query the positions in the database with its label, without itself; and the positions of itself."""
    place = {image: position for position, image in enumerate(database)}
    groups: dict[int, list[int]] = {}
    for position, label in enumerate(labels[torch.tensor(database, dtype=torch.int64)].tolist()):
        groups.setdefault(label, []).append(position)
    members = {label: torch.tensor(g) for label, g in groups.items() if label >= 0}
    none = torch.empty(0, dtype=torch.int64)
    positives, itself = [], []
    for image in queries:
        own = torch.tensor([place[image]]) if image in place else none
        group = members.get(int(labels[image]), none)
        positives.append(group[group != own] if len(own) else group)
        itself.append(own)
    return positives, itself
