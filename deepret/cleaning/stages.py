"""Cleaning from its first stage to its last: features, pairs, threshold, graph, boxes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from deepret.cleaning.boxes.propagation import Propagation, Settled
from deepret.cleaning.cleaned import UNREAD, CleanedClass, clean_class, copies_of, without_singles
from deepret.cleaning.features.base import Extractor
from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.graph.components import components
from deepret.cleaning.matched import Matcher
from deepret.cleaning.pairs.compared import Compared, joined
from deepret.cleaning.pairs.plan import ACROSS, Plan, draw_across, rate_of_pairs, wanted_across
from deepret.cleaning.pairs.threshold import LOOSE, Threshold, calibrated
from deepret.cleaning.parallel import each
from deepret.cleaning.settings import GraphSettings, LinkSettings
from deepret.cleaning.shortlist.base import Shortlist
from deepret.cleaning.verification.base import Verification
from deepret.data.catalogue import Catalogue
from deepret.data.check import report
from deepret.data.duplicates.pairs import near_duplicates
from deepret.data.duplicates.prints import prints

FLOOR = 4.0
"""The lowest threshold: four inliers in four places, which a map fits that has three to choose."""
UNCALIBRATED = 10.0
"""The threshold where there is one class only, and so no pair of different things to read it off."""


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What a set became.

    Args:
        catalogue: all that was looked at.
        classes: what became of each class.
        boxes: of all rows, in pixels, before and after refinement; NaN where no verified pair gives any.
        threshold: what pairs across say; None where a score was given, or there is one class only.
        rate: the smallest rate of false links that a class can bear.
        across: what was compared of different classes.
        seconds: what each stage took.
        within: scores of pairs of one class that have something in common.
    """

    catalogue: Catalogue
    classes: list[CleanedClass]
    boxes: Settled
    threshold: Threshold | None
    rate: float
    across: Compared
    seconds: dict[str, float]
    within: npt.NDArray[np.float64]


class Cleaning:
    """Cleans the classes of a catalogue.

    Args:
        catalogue: the photographs; those of the splits that are cleaned, with a label, make the classes.
        splits: which are cleaned.
        extractor, verification, shortlist, propagation: the parts.
        links, graph: the settings.
        cache: where features and compared pairs are kept.
        seed: of the draw of pairs across.
        threads: photographs, and blocks of pairs, at once; None takes the machine's cores.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        splits: Sequence[str],
        extractor: Extractor,
        verification: Verification,
        shortlist: Shortlist,
        propagation: Propagation,
        links: LinkSettings,
        graph: GraphSettings,
        cache: Path,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.propagation = propagation
        self.links = links
        self.graph = graph
        self.cache = cache
        self.threads = threads
        self.seconds: dict[str, float] = {}
        by_label: dict[str, list[int]] = {}
        for row, (label, split, view) in enumerate(
            zip(catalogue.labels, catalogue.splits, catalogue.views, strict=True)
        ):
            if label and split in splits and not view:
                by_label.setdefault(label, []).append(row)
        self.labels = sorted(by_label)
        self.taken = {*catalogue.labels}
        self.classes = [by_label[label] for label in self.labels]
        sizes = [len(rows) for rows in self.classes if len(rows) > 1]
        limits = [shortlist.limit(n) for n in sizes]
        # Others want a photograph, too, that it does not want itself.
        partners = [n - 1 if own is None else 2 * own for n, own in zip(sizes, limits, strict=True)]
        rates = [rate_of_pairs(links.false_links, count) for count in partners]
        self.rate = min(rates, default=1.0)
        count = 0 if links.threshold is not None else wanted_across(rates, links.across)
        plan = Plan(self.classes, draw_across([rows for rows in self.classes if len(rows) > 1], count, seed))
        self.rates = dict(zip([i for i, rows in enumerate(self.classes) if len(rows) > 1], rates, strict=True))
        self.store = FeatureStore(catalogue.root, extractor, cache)
        self.matcher = Matcher(catalogue.paths, plan, self.store, verification, shortlist, cache, threads)

    def look(self, rows: Sequence[int] | None = None) -> dict[int, str]:
        """Finds the local features of photographs; gives what is wrong with those that have none.

        Raises:
            UserError: they cannot be kept: the disk is full, or the folder cannot be written.
        """
        if rows is None:
            rows = [row for group in self.classes for row in group]
        with self.timed("features"):
            paths = [self.catalogue.paths[row] for row in rows]
            bar = tqdm(
                each(self.store.look, paths, self.threads),
                "finding features",
                len(paths),
                unit=" images",
                disable=None,
                leave=False,
            )
            found = list(bar)
        nothing = "no local features in it"
        return {
            row: f"{UNREAD}: {wrong}" if wrong else nothing
            for row, (count, wrong) in zip(rows, found, strict=True)
            if wrong or not count
        }

    def match(self, shard: int = 0, shards: int = 1) -> None:
        """Compares the pairs of a share of the blocks, and keeps what comes out.

        Raises:
            UserError: it cannot be kept.
        """
        with self.timed("pairs"):
            self.matcher.run(self.matcher.share(shard, shards))

    def finish(self, unusable: dict[int, str]) -> Cleaned:
        """Decides, when all pairs are compared.

        Raises:
            UserError: a class without a verified pair, where ``graph.unverified`` is ``stop``.
        """
        across, within = self._results()
        with self.timed("copies"):
            copies = self._copies()
        with self.timed("threshold"):
            threshold = self._threshold(across, within)
        with self.timed("graph"):
            names = self.catalogue.paths
            classes = []
            for i, (label, rows) in enumerate(zip(self.labels, self.classes, strict=True)):
                score = self._score(threshold, self.rates.get(i, 1.0))
                classes.append(
                    clean_class(label, rows, within[i], score, self.graph, copies, unusable, names, self.taken)
                )
            classes = without_singles(classes, self.catalogue)
        with self.timed("boxes"):
            boxes = self._boxes(classes)
        scores = np.concatenate([np.zeros(0), *(part.scores for part in within)])
        return Cleaned(self.catalogue, classes, boxes, threshold, self.rate, across, dict(self.seconds), scores)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds to what a stage took."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def _results(self) -> tuple[Compared, list[Compared]]:
        parts: dict[int, list[Compared]] = {}
        for block in self.matcher.blocks:
            parts.setdefault(block.group, []).append(self.matcher.result(block))
        return joined(parts.get(ACROSS, [])), [joined(parts.get(i, [])) for i in range(len(self.classes))]

    def _copies(self) -> dict[int, int]:
        """Photographs that are copies of others of their class, each with that which stands for it."""
        if not self.graph.duplicates:
            return {}
        pairs: list[tuple[int, int]] = []
        found = prints(self.catalogue.root, self.catalogue.paths, self.cache)
        for rows in tqdm(self.classes, "looking for copies", unit=" classes", disable=None, leave=False):
            near = near_duplicates(found.subset(rows), cache=self.cache)
            pairs += [(rows[pair.first], rows[pair.second]) for pair in near]
        return copies_of(pairs, self.catalogue.sizes, self.catalogue.paths)

    def _threshold(self, across: Compared, within: Sequence[Compared]) -> Threshold | None:
        if self.links.threshold is not None:
            return None
        if not across.count:
            report(
                f"there is one class only, or links.across=0, so there are no pairs of different things to read a "
                f"threshold off: {UNCALIBRATED:g} is taken; links.threshold=SCORE sets another."
            )
            return None
        class_of = np.full(len(self.catalogue), -1)
        for i, rows in enumerate(self.classes):
            class_of[rows] = i
        pairs = np.array(self.matcher.plan.across, np.int64).reshape(-1, 2)
        where = {pair: place for place, pair in enumerate(map(tuple, pairs.tolist()))}
        scores = np.zeros(len(pairs))
        scores[[where[a, b] for a, b in across.rows.tolist()]] = across.scores

        def together(found: Threshold, loose: bool) -> npt.NDArray[np.bool_]:
            kept = np.zeros(len(self.catalogue), bool)
            for i, rows in enumerate(self.classes):
                if len(rows) > 1:
                    score = self._score(found, LOOSE if loose else self.rates[i])
                    linked = within[i].some(within[i].scores > score)
                    place = {row: j for j, row in enumerate(rows)}
                    edges = np.array([[place[a], place[b]] for a, b in linked.rows.tolist()], np.int64).reshape(-1, 2)
                    largest = components(len(rows), edges, linked.scores)[0]
                    kept[[rows[j] for j in largest if len(largest) > 1]] = True
            return kept

        return calibrated(pairs, scores, class_of, self.rate, together)

    def _score(self, threshold: Threshold | None, rate: float) -> float:
        if threshold is None:
            return self.links.threshold if self.links.threshold is not None else UNCALIBRATED
        return max(threshold.at(rate), FLOOR)

    def _boxes(self, classes: Sequence[CleanedClass]) -> Settled:
        n = len(self.catalogue)
        first, last, rounds = np.full((n, 4), np.nan), np.full((n, 4), np.nan), 0
        sizes = np.array(self.catalogue.sizes, np.int64).reshape(-1, 2)
        for one in tqdm(classes, "refining boxes", unit=" classes", disable=None, leave=False):
            kept = one.kept
            if not len(kept):
                continue
            rows = np.unique(kept.rows)
            local = np.searchsorted(rows, kept.rows)
            found = self.propagation.boxes(sizes[rows], local, kept.transforms, kept.boxes, kept.inliers)
            first[rows], last[rows], rounds = found.first, found.last, max(rounds, found.rounds)
        return Settled(first, last, rounds)
