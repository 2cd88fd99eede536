"""The figures of all runs side by side: each way to train on each set, and what one way gains over another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from deepret.errors import UserError
from deepret.reports.loop.jobs import PHOTOGRAPHS, Scenes
from deepret.reports.results import Entry
from deepret.reports.table import Table

BEFORE, NOISY, CLEANED = "before training", "noisy, grid", "cleaned, grid"
LONGER = "cleaned, grid, as long as RPN"
RESPONSE, BOXES = "cleaned, RPN on response boxes", "cleaned, RPN on cleaning's boxes"
ARMS = {
    BEFORE: ("noisy", "before training"),
    NOISY: ("noisy", "1-ranking"),
    CLEANED: ("boxes", "1-ranking"),
    LONGER: ("longer", "1-ranking"),
    RESPONSE: ("response", "3-ranking"),
    BOXES: ("boxes", "3-ranking"),
}
"""Ways to train → whose score of which stage is theirs."""
OF_PHOTOGRAPHS = {BEFORE: ARMS[BEFORE], NOISY: ARMS[NOISY], CLEANED: ("cleaned", "1-ranking")}
GAINS = ((CLEANED, NOISY), (BOXES, CLEANED), (BOXES, LONGER), (BOXES, RESPONSE), (BOXES, NOISY))
"""What is compared: the first is to be better than the second."""

Score = float | None


def scores_of(entries: Mapping[str, Entry], name: str) -> dict[str, Score]:
    """The mAP of each way to train on a set, 0…1; None where its run is not finished.

    Args:
        entries: of all runs.
        name: the set's.

    Raises:
        UserError: its runs were not scored on the same photographs.
    """
    arms = OF_PHOTOGRAPHS if name == PHOTOGRAPHS else ARMS
    found = {arm: figures_of(entries, f"{name} {kind}") for arm, (kind, _) in arms.items()}
    counts = [figures["counts"] for figures in found.values() if figures]
    if any(other != counts[0] for other in counts):
        raise UserError(
            f"{name}: its runs were scored on different photographs ({counts}), so their figures cannot be compared."
        )
    return {arm: figures["stages"].get(arms[arm][1]) if figures else None for arm, figures in found.items()}


def figures_of(entries: Mapping[str, Entry], name: str) -> dict[str, Any] | None:
    """What came of a run; None where it is not finished."""
    found: dict[str, Any] | None = entries.get(name, {}).get("figures")
    return found


def score_table(entries: Mapping[str, Entry], sets: Sequence[Scenes]) -> Table:
    """mAP in per cent of each way on each set, below it the mean of each noise that has several seeds."""
    header = ["noise/seed", *(f"{arm} %" for arm in ARMS)]
    scores = {scenes: scores_of(entries, scenes.name) for scenes in sets}
    rows: list[list[object]] = [
        [scenes.name, *(points(score) for score in found.values())] for scenes, found in scores.items()
    ]
    for noise in dict.fromkeys(scenes.noise for scenes in sets):
        own = [found for scenes, found in scores.items() if scenes.noise == noise]
        if len(own) > 1:
            rows.append([f"{noise:g}, mean of {len(own)}", *(mean_of([found[arm] for found in own]) for arm in ARMS)])
    return header, rows


def gain_table(entries: Mapping[str, Entry], sets: Sequence[Scenes]) -> Table:
    """The difference in mAP points between two ways on one set: mean, standard deviation, on how many it is above 0."""
    header = ["gain in mAP", "sets", "mean", "± over sets", "better on"]
    rows: list[list[object]] = []
    for better, worse in GAINS:
        gains = gains_of(entries, sets, better, worse)
        spread = stdev(gains) if len(gains) > 1 else None
        middle = mean(gains) if gains else None
        rows.append([f"{better} − {worse}", len(gains), middle, spread, sum(gain > 0 for gain in gains)])
    return header, rows


def gains_of(entries: Mapping[str, Entry], sets: Sequence[Scenes], better: str, worse: str) -> list[float]:
    """What one way to train gains over another, in mAP points, on each set on which both are finished."""
    found = [scores_of(entries, scenes.name) for scenes in sets]
    pairs = [(scores[better], scores[worse]) for scores in found]
    return [100 * (one - two) for one, two in pairs if one is not None and two is not None]


def quality_table(entries: Mapping[str, Entry], sets: Sequence[Scenes]) -> Table:
    """What each cleaning kept and where its boxes are, against the truth."""
    header = ["noise/seed", "pictures", "right %", "kept", "precision %", "recall %", "boxes"]
    header += ["IoU whole picture", "IoU before refinement", "IoU after"]
    rows: list[list[object]] = []
    for scenes in sets:
        found = figures_of(entries, f"{scenes.name} cleaning") or {}
        right, precision, recall = (points(found.get(key)) for key in ("right", "precision", "recall"))
        ious = [found.get(key) for key in ("iou_whole", "iou_first", "iou_last")]
        rows.append([scenes.name, found.get("pictures"), right, found.get("kept"), precision, recall])
        rows[-1] += [found.get("boxes"), *ious]
    return header, rows


def photograph_table(entries: Mapping[str, Entry]) -> Table:
    """mAP in per cent of each way on photographs, and how many of those cleaned are kept."""
    cleaning = figures_of(entries, f"{PHOTOGRAPHS} cleaning") or {}
    scores = scores_of(entries, PHOTOGRAPHS)
    header = [*(f"{arm} %" for arm in scores), "photographs", "kept"]
    return header, [[*(points(score) for score in scores.values()), cleaning.get("photographs"), cleaning.get("kept")]]


def run_table(entries: Mapping[str, Entry]) -> Table:
    """How long each finished run took, where and when, and its command."""
    rows: list[list[object]] = [
        [name, entry["seconds"], entry["attempts"], entry["machine"], entry["date"], f"`{entry['command']}`"]
        for name, entry in entries.items()
        if "figures" in entry
    ]
    return ["run", "seconds of the last attempt", "attempts", "machine", "date", "command"], rows


def points(score: Score) -> Score:
    """A share in per cent."""
    return None if score is None else 100 * score


def mean_of(scores: Sequence[Score]) -> Score:
    """The mean of shares in per cent; None unless all are there."""
    there = [score for score in scores if score is not None]
    return 100 * mean(there) if there and len(there) == len(scores) else None
