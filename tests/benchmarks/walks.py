"""What a ranking is worth, by walking it: slow, and with nothing of deepret in it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence


def average_precision(
    ranking: Sequence[Hashable], positives: Collection[Hashable], ignored: Collection[Hashable]
) -> float:
    """The trapezoid under precision over recall, what is ignored left out."""
    total, before, found, seen = 0.0, 1.0, 0, 0
    for name in ranking:
        if name in ignored:
            continue
        found += name in positives
        seen += 1
        precision = found / seen
        if name in positives:
            total += (before + precision) / 2 / len(positives)
        before = precision
    return total


def precision_at(
    ranking: Sequence[Hashable], positives: Collection[Hashable], ignored: Collection[Hashable], k: int
) -> float:
    """The share of positives among the first k, or as far as the last positive."""
    kept = [name in positives for name in ranking if name not in ignored]
    last = max(place for place, right in enumerate(kept, start=1) if right)
    k = min(k, last)
    return sum(kept[:k]) / k
