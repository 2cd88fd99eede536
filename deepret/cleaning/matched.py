"""The stage that takes long: every pair of the plan compared, block by block, each kept as soon as it is done."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
from tqdm import tqdm

from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.pairs.compared import Compared, compare, load, save
from deepret.cleaning.pairs.plan import ACROSS, Block, Plan
from deepret.cleaning.parallel import each
from deepret.cleaning.shortlist.base import Partners, Shortlist
from deepret.cleaning.verification.base import Verification
from deepret.data.check import stamp
from deepret.errors import UserError
from deepret.files import write_whole

FORMAT = 1
"""Of blocks; of another they are made again."""


class Matcher:
    """Compares the pairs of a plan and keeps what comes out, so that nothing is compared twice.

    A block is kept under a digest of its class's files and of all settings that it depends on: a class to which
    photographs were added is compared again, the others are not.

    Args:
        paths: of all rows.
        plan: which pairs.
        store: gives features.
        verification: matches two photographs.
        shortlist: says which pairs of a class.
        cache: the folder that blocks are kept in.
        threads: blocks at once; None takes the machine's cores.
    """

    def __init__(
        self,
        paths: Sequence[str],
        plan: Plan,
        store: FeatureStore,
        verification: Verification,
        shortlist: Shortlist,
        cache: Path,
        threads: int | None = None,
    ) -> None:
        self.paths = paths
        self.plan = plan
        self.store = store
        self.verification = verification
        self.shortlist = shortlist
        self.threads = threads
        self.cache = cache / "pairs"
        self.blocks = plan.blocks(shortlist.limit)
        self._rules = f"{FORMAT} {cv2.__version__} {store.folder.name} {_settings(verification)}"
        self._stamps: dict[int, str] = {}
        self._folders: dict[int, Path] = {}
        self._partners: tuple[int, Partners | None] = (ACROSS, None)

    def share(self, shard: int, shards: int) -> list[Block]:
        """The blocks of one of several shares: those of a class mostly in one, those of pairs across in all."""
        own = [block for block in self.blocks if block.group != ACROSS]
        across = [block for block in self.blocks if block.group == ACROSS]
        n = len(own)
        return own[n * shard // shards : n * (shard + 1) // shards] + across[shard::shards]

    def missing(self, blocks: Sequence[Block]) -> list[Block]:
        """The blocks that are not kept yet."""
        return [block for block in blocks if not self.file(block).is_file()]

    def run(self, blocks: Sequence[Block]) -> None:
        """Compares the pairs of blocks and keeps what comes out.

        Raises:
            UserError: it cannot be kept: the disk is full, or the folder cannot be written.
        """
        jobs = ((block, self.partners(block.group)) for block in blocks)  # few shortlists are in memory at a time
        done = each(self._work, jobs, self.threads)
        for _ in tqdm(done, "comparing pairs", len(blocks), unit=" blocks", disable=None, leave=False):
            pass

    def result(self, block: Block) -> Compared:
        """What came out of a block.

        Raises:
            UserError: it is not there any more.
        """
        found = load(self.file(block))
        if found is None:
            self.file(block).unlink(missing_ok=True)
            raise UserError(f"{self.file(block)}: it is gone or damaged; give the same command again, which makes it.")
        return replace(found, rows=np.array(self._rows(block), np.int64)[found.rows])

    def file(self, block: Block) -> Path:
        """Where a block is kept."""
        if block.group == ACROSS:
            digest = sha256(self._rules.encode())
            for pair in self.plan.pairs(block, None):
                digest.update("".join(map(self._stamp, pair)).encode("utf-8", "surrogateescape"))
            return self.cache / "across" / f"{digest.hexdigest()[:32]}.npz"
        return self._folder(block.group) / f"{block.start}-{block.stop}.npz"

    def partners(self, group: int) -> Partners | None:
        """The shortlist of a class, kept, so that all who work at it have the same; None where all pairs count."""
        if group == ACROSS or self.shortlist.limit(len(self.plan.classes[group])) is None:
            return None
        if self._partners[0] != group:
            self._partners = group, self._made(group)
        return self._partners[1]

    def _made(self, group: int) -> Partners:
        kept = self._folder(group) / "shortlist.npz"
        found = read_partners(kept)
        if found is not None:
            return found
        paths = [self.paths[row] for row in self.plan.classes[group]]
        sample = [self.paths[row] for row in self._sample]
        for _ in each(self.store.look, [*sample, *paths], self.threads):
            pass
        made = self.shortlist.partners(paths, sample, self.store)
        write_partners(kept, made)
        found = read_partners(kept)  # another shard's, if that came first
        return made if found is None else found

    @cached_property
    def _sample(self) -> list[int]:
        """Rows of all classes, one of each class after the other, as many as the shortlist learns from."""
        longest = max(map(len, self.plan.classes), default=0)
        rows = (rows[i] for i in range(longest) for rows in self.plan.classes if i < len(rows))
        return list(islice(rows, self.shortlist.sample))

    @cached_property
    def _words(self) -> str:
        """What a shortlist depends on beside its class: its settings, the sample, and the library that learns."""
        faiss = version("faiss-cpu") or version("faiss-gpu")
        return f"{_settings(self.shortlist)} {faiss} {''.join(map(self._stamp, self._sample))}"

    def _work(self, job: tuple[Block, Partners | None]) -> None:
        block, partners = job
        file = self.file(block)
        if load(file) is None:
            rows = self._rows(block)
            place = {row: i for i, row in enumerate(rows)}
            pairs = [(place[one], place[two]) for one, two in self.plan.pairs(block, partners)]
            save(file, compare(pairs, lambda i: self.store.features(self.paths[rows[i]]), self.verification))

    def _rows(self, block: Block) -> list[int]:
        """The catalogue's rows that a block is about: on disk a pair has places among them, whatever else there is."""
        if block.group == ACROSS:
            return list(dict.fromkeys(row for pair in self.plan.pairs(block, None) for row in pair))
        return self.plan.classes[block.group]

    def _folder(self, group: int) -> Path:
        if group not in self._folders:
            rows = self.plan.classes[group]
            digest = sha256(self._rules.encode())
            if self.shortlist.limit(len(rows)) is not None:
                digest.update(self._words.encode("utf-8", "surrogateescape"))
            for row in rows:
                digest.update(self._stamp(row).encode("utf-8", "surrogateescape"))
            self._folders[group] = self.cache / digest.hexdigest()[:32]
        return self._folders[group]

    def _stamp(self, row: int) -> str:
        if row not in self._stamps:
            file = self.store.root / self.paths[row]
            self._stamps[row] = f"{file}\0{stamp(file)}\n"
        return self._stamps[row]


def _settings(part: Any) -> str:
    """A part's class and settings."""
    public = {key: value for key, value in vars(part).items() if not key.startswith("_")}
    return f"{type(part).__module__}.{type(part).__qualname__} {sorted(public.items())}"


def version(package: str) -> str:
    """The version of a package; empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def read_partners(path: Path) -> Partners | None:
    """A shortlist from disk; None where there is none that is whole."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return np.split(file["rows"], file["ends"])[:-1] if len(file["ends"]) else []
    except Exception:  # zipfile and NumPy raise nearly anything on a damaged file
        return None


def write_partners(path: Path, found: Partners) -> None:
    """Keeps a shortlist, unless another process has kept one meanwhile.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    if read_partners(path) is not None:
        return
    memory = io.BytesIO()
    np.savez(memory, rows=np.concatenate(found), ends=np.cumsum([len(part) for part in found]))
    own = path.with_name(f".{path.stem}.{uuid4().hex[:8]}{path.suffix}")
    write_whole(own, memory.getbuffer())
    path.unlink(missing_ok=True)  # a damaged one
    try:
        os.link(own, path)
    except FileExistsError:
        own.unlink()
    except OSError:  # a file system without links
        os.replace(own, path)
    else:
        own.unlink()
