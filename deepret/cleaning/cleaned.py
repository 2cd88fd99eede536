"""From compared pairs to what is kept of each class, and why the rest is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from deepret.cleaning.graph.components import components, core
from deepret.cleaning.pairs.compared import Compared
from deepret.cleaning.settings import GraphSettings
from deepret.data.catalogue import SPLITS, Catalogue
from deepret.errors import UserError


@dataclass(frozen=True, eq=False)
class CleanedClass:
    """What became of a class.

    Args:
        label: its name.
        rows: its photographs, rows of the catalogue.
        labels: the new label of each row that is kept.
        reasons: why each other row is not.
        verified: its links, pairs above the threshold, none of a copy.
        compared: pairs that were compared.
        threshold: the score above which a pair is a link.
    """

    label: str
    rows: list[int]
    labels: dict[int, str]
    reasons: dict[int, str]
    verified: Compared
    compared: int
    threshold: float

    @property
    def kept(self) -> Compared:
        """The links between photographs that are kept under one label."""
        one = [self.labels.get(row) for row in self.verified.rows[:, 0].tolist()]
        two = [self.labels.get(row) for row in self.verified.rows[:, 1].tolist()]
        return self.verified.some(np.array([a is not None and a == b for a, b in zip(one, two, strict=True)], bool))


def clean_class(
    label: str,
    rows: Sequence[int],
    pairs: Compared,
    threshold: float,
    settings: GraphSettings,
    copies: Mapping[int, int],
    unusable: Mapping[int, str],
    names: Sequence[str],
    taken: Collection[str] = (),
) -> CleanedClass:
    """Decides on the photographs of one class.

    Args:
        label: its name.
        rows: its photographs, rows of the catalogue.
        pairs: what was compared of it.
        threshold: the score above which a pair is a link.
        settings: what is kept.
        copies: photographs that are copies of others: row → that which stands for it.
        unusable: what is wrong with photographs that no feature was found in.
        names: of all rows, for the reasons.
        taken: labels of other classes, which no new one may have.

    Raises:
        UserError: no pair is verified, and ``settings.unverified`` says that this ends it.
    """
    alone = {row for row in rows if row not in copies}
    real = np.array([a in alone and b in alone for a, b in pairs.rows.tolist()], bool)
    verified = pairs.some(real & (pairs.scores > threshold))
    reasons = {row: f"copy of {names[copies[row]]}" for row in rows if row in copies}
    if not len(verified) and settings.unverified == "stop" and len(alone) > 1:
        raise UserError(
            f"{label}: no two of its {len(rows):,} photographs are verified to show the same: take the class out, or "
            f"graph.unverified=drop or keep."
        )
    if not len(verified) and settings.unverified == "keep":
        unread = {row for row in alone if unusable.get(row, "").startswith(UNREAD)}
        reasons |= {row: unusable[row] for row in sorted(unread)}
        labels = dict.fromkeys(sorted(alone - unread), label)
        return CleanedClass(label, list(rows), labels, reasons, verified, pairs.count, threshold)
    place = {row: i for i, row in enumerate(rows)}
    edges = np.array([[place[a], place[b]] for a, b in verified.rows.tolist()], np.int64).reshape(-1, 2)
    dense = np.isin(np.arange(len(rows)), core(range(len(rows)), edges, settings.links))
    inside = dense[edges].all(axis=1)
    parts = components(len(rows), edges[inside], verified.scores[inside])
    groups = [[rows[i] for i in part] for part in parts if len(part) > 1]
    large = [group for group in groups if len(group) >= settings.least]
    chosen = large if settings.communities else large[:1]
    several = len(chosen) > 1
    free = (name for n in count(1) if (name := f"{label}.{n}") not in taken)
    labels = {row: name for group in chosen for name in [next(free) if several else label] for row in group}
    group_of = {row: group for group in groups for row in group}
    linked = {rows[i] for i in np.unique(edges).tolist()}
    for row in sorted(alone - labels.keys()):
        if row in unusable:
            reasons[row] = unusable[row]
        elif len(alone) == 1:
            reasons[row] = "the only photograph of its class"
        elif not len(verified):
            reasons[row] = "no pair of its class is verified"
        elif row not in linked:
            reasons[row] = "no verified pair with another of its class"
        elif row not in group_of:
            reasons[row] = f"fewer than {settings.links} verified pairs with others that have as many"
        elif len(group_of[row]) < settings.least:
            reasons[row] = f"its group has {len(group_of[row])} photographs, fewer than graph.least={settings.least}"
        else:
            size, largest = len(group_of[row]), len(groups[0])
            than = f"the largest of its class {largest}" if size < largest else "and a better linked one has as many"
            reasons[row] = f"its group has {size} photographs, {than}"
    return CleanedClass(label, list(rows), labels, reasons, verified, pairs.count, threshold)


UNREAD = "it cannot be read"
"""How reasons begin of photographs that were there when the set was read, and could not be decoded later."""
KINDS = {
    "copy of ": "copy of another",
    "its group has ": "in a smaller group than the largest of its class",
    UNREAD: "it cannot be read",
    "fewer than ": "too few verified pairs",
    "the only one of its class that is left": "the only one of its class that is left in its split",
}
"""How reasons begin → what they are called together."""


def kind(reason: str) -> str:
    """Why a photograph is not kept, without names and numbers."""
    return next((name for start, name in KINDS.items() if reason.startswith(start)), reason)


def without_singles(found: Sequence[CleanedClass], catalogue: Catalogue) -> list[CleanedClass]:
    """Drops photographs that are alone under their new label in train, val or test: nothing compares with them."""
    cleaned = []
    for one in found:
        counts = Counter((catalogue.splits[row], label) for row, label in one.labels.items())
        compared = {row: label for row, label in one.labels.items() if catalogue.splits[row] in SPLITS[:3]}
        single = {row for row, label in compared.items() if counts[catalogue.splits[row], label] == 1}
        labels = {row: label for row, label in one.labels.items() if row not in single}
        why = {row: f"the only one of its class that is left in {catalogue.splits[row]}" for row in sorted(single)}
        cleaned.append(
            CleanedClass(one.label, one.rows, labels, {**one.reasons, **why}, one.verified, one.compared, one.threshold)
        )
    return cleaned


def copies_of(
    pairs: Sequence[tuple[int, int]], sizes: Sequence[tuple[int, int]], names: Sequence[str]
) -> dict[int, int]:
    """For each photograph that is a copy of another the one that stands for it: the largest, then the first by name.

    Args:
        pairs: rows that show one photograph.
        sizes: widths and heights of all rows.
        names: of all rows.
    """
    if not pairs:
        return {}
    edges = np.array(pairs, np.int64)
    rows = np.unique(edges)
    local: npt.NDArray[np.int64] = np.searchsorted(rows, edges)
    found: dict[int, int] = {}
    for group in components(len(rows), local, np.ones(len(edges))):
        own = sorted((int(rows[i]) for i in group), key=lambda row: (-sizes[row][0] * sizes[row][1], names[row]))
        found |= dict.fromkeys(own[1:], own[0])
    return found
