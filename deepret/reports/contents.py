"""What a catalogue holds, as plain text: photographs and classes of each split, and how large the classes are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from deepret.data import members
from deepret.data.catalogue import SPLITS, Catalogue
from deepret.reports.table import table

BAR = 40
"""Characters of the longest bar."""


class Counts(NamedTuple):
    """Of a split: photographs, classes, photographs without a label, with a box, and bytes of all files."""

    photographs: int
    classes: int
    without_label: int
    with_boxes: int
    bytes: int


def by_split(catalogue: Catalogue) -> dict[str, Counts]:
    """The counts of each split that has photographs, in the order of SPLITS; views have no label."""
    found = {}
    for split in SPLITS:
        rows = [i for i, s in enumerate(catalogue.splits) if s == split]
        if rows:
            labels = ["" if catalogue.views[i] else catalogue.labels[i] for i in rows]
            found[split] = Counts(
                len(rows),
                len({*labels} - {""}),
                labels.count(""),
                sum(bool(catalogue.boxes[i]) for i in rows),
                sum(_size(catalogue, i) for i in rows),
            )
    return found


def split_table(counts: dict[str, Counts]) -> str:
    """The counts as a table."""
    header = ["split", "photographs", "classes", "without label", "with boxes", "MB"]
    return table(header, [(split, *found[:4], found.bytes / 1e6) for split, found in counts.items()])


def class_sizes(catalogue: Catalogue) -> list[int]:
    """How many photographs each class has in its split, views left out; ascending."""
    rows = zip(catalogue.splits, catalogue.labels, catalogue.views, strict=True)
    return sorted(Counter((split, label) for split, label, view in rows if label and not view).values())


def sizes_table(sizes: Sequence[int]) -> str:
    """The smallest, the median and the largest class, and a bar for the classes of each doubling of size."""
    bins = Counter(max(0, size - 1).bit_length() for size in sizes)
    lines = []
    for power in range(min(bins), max(bins) + 1):
        low, high = (1 << power >> 1) + 1, 1 << power
        count = bins[power]
        bar = "█" * max(round(BAR * count / max(bins.values())), count > 0)
        lines.append((f"{low:,}–{high:,}" if high > low else f"{high:,}", count, bar))
    middle = median(sizes)
    said = f"classes have {sizes[0]:,} to {sizes[-1]:,} photographs, {middle:,g} in the middle"
    return f"{said}\n{table(['photographs', 'classes', ''], lines)}"


def _size(catalogue: Catalogue, row: int) -> int:
    try:
        return members.stat(catalogue.root / catalogue.paths[row]).size
    except OSError:  # gone meanwhile
        return 0
