"""Retrieval-SfM: photographs that reconstructions of buildings put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from deepret.data.catalogue import Catalogue
from deepret.data.listing import Row
from deepret.data.pickles.read import names_in, read_pickle
from deepret.data.sets.published import PublishedSet
from deepret.errors import UserError

COUNTS = {"120k": {"train": 91_642, "val": 6_403}}
"""Photographs of each part; from memory."""


class SfM120k(PublishedSet):
    """Landmarks by structure from motion: 91,642 photographs of 551 reconstructions, and 6,403 of 162 others as val.

    - Source: http://cmp.felk.cvut.cz/cnnimageretrieval/data/train: dbs/retrieval-SfM-120k.pkl in ROOT, and what is in
      ims/ims.tar.gz in ROOT/ims.
    - Layout: a pickle with train and val, each with cids, cluster, and qidxs and pidxs, positions of queries and of
      the positive of each; the photograph CID is ims/ with the last two characters of CID, the two before, the two
      before those, and CID. It is read without running anything.
    - A class is a reconstruction. Photographs of one need not overlap, so ``mining=pool`` takes the published pairs for
      positives; other mining takes whole classes. The catalogue keeps the pairs.
    - Published use: 2,000 pairs an epoch, and for each query the 5 nearest photographs of other reconstructions, at
      most one of each, out of 22,000: ``mining=pool mining.queries=2000 mining.size=22000 mining.negatives=5
      mining.one_a_class=true``.

    Args:
        root: the folder.
        size: 120k, or the smaller 30k, whose pickle, from memory, is retrieval-SfM-30k.pkl.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        split: which split is scored.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Radenović, Tolias, Chum, Fine-tuning CNN image retrieval with no human annotation, TPAMI 2019.
    """

    name: ClassVar[str] = "sfm120k"
    fetch: ClassVar[str] = (
        "http://cmp.felk.cvut.cz/cnnimageretrieval/data/train has it: put dbs/retrieval-SfM-120k.pkl into ROOT, and "
        "what is in ims/ims.tar.gz into ROOT/ims."
    )

    def __init__(
        self,
        root: str,
        size: Literal["120k", "30k"] = "120k",
        strict: bool = False,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
        download: bool = False,
    ) -> None:
        super().__init__(root, strict, cache, download)
        self.size = size

    @property
    def official(self) -> str:
        """By its size."""
        return f"sfm{self.size}"

    def load(self) -> Catalogue:
        """The catalogue with its pairs.

        Raises:
            UserError: no such folder, a pickle that is missing or cannot be read, or no photograph that is there.
        """
        found = super().load()
        place = {path: row for row, path in enumerate(found.paths)}
        named = ((path_of(q), path_of(p)) for part in self._parts() for q, p in part.pairs())
        return replace(found, pairs=[(place[q], place[p]) for q, p in named if q in place and p in place])

    def rows(self) -> list[Row]:
        """From the pickle.

        Raises:
            UserError: it is missing or cannot be read.
        """
        return [
            Row(path_of(cid), cluster, part.split)
            for part in self._parts()
            for cid, cluster in zip(part.cids, part.clusters, strict=True)
        ]

    def published(self) -> Mapping[str, int]:
        """The two parts'."""
        return COUNTS.get(self.size, {})

    def _parts(self) -> list[Part]:
        name = f"retrieval-SfM-{self.size}.pkl"
        if not (self.root / name).is_file():
            raise self.lists.unread(name, FileNotFoundError(2, "No such file or directory"))
        found = read_pickle(self.root / name)
        try:
            return [Part(split, found[split]) for split in ("train", "val")]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            said = f"{type(error).__name__}: {error}"
            raise UserError(
                f"{self.root / name}: it does not hold train and val with cids, cluster, qidxs and pidxs that fit "
                f"({said}); take the published file."
            ) from None


class Part:
    """Train or val.

    Args:
        split: which of the two.
        found: cids, cluster, qidxs and pidxs.

    Raises:
        ValueError: they do not fit.
    """

    def __init__(self, split: str, found: Mapping[str, Any]) -> None:
        self.split = split
        self.cids = names_in(found["cids"])
        self.clusters = [f"{split} {int(number)}" for number in found["cluster"]]
        self.queries, self.positives = (_positions(found[key], len(self.cids)) for key in ("qidxs", "pidxs"))
        if len(self.clusters) != len(self.cids) or len(self.queries) != len(self.positives):
            raise ValueError("they have different lengths")
        short = next((cid for cid in self.cids if len(cid) < 6 or "/" in cid), None)
        if short is not None:
            raise ValueError(f"{short!r} is no cid")

    def pairs(self) -> list[tuple[str, str]]:
        """The cids of each query and its positive, each pair once."""
        named = zip(self.queries, self.positives, strict=True)
        return list(dict.fromkeys((self.cids[q], self.cids[p]) for q, p in named if q != p))


def path_of(cid: str) -> str:
    """Where a photograph is, below the root."""
    return f"ims/{cid[-2:]}/{cid[-4:-2]}/{cid[-6:-4]}/{cid}"


def _positions(values: Sequence[int], count: int) -> list[int]:
    found = np.asarray(values, dtype=np.int64).ravel()
    if len(found) and (found.min() < 0 or found.max() >= count):
        raise ValueError(f"a position is not among {count:,} cids")
    positions: list[int] = found.tolist()
    return positions
