"""How the comparison is told: tables, a page of Markdown, a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from deepret.reports.dots import dots
from deepret.reports.loop.jobs import Scenes
from deepret.reports.loop.scores import (
    ARMS,
    gain_table,
    photograph_table,
    quality_table,
    run_table,
    score_table,
    scores_of,
)
from deepret.reports.results import Entry
from deepret.reports.table import Table, as_sections

WIDTH = 600
"""Pixels of the picture's scale: with the names the picture has about 900."""
TITLES = {
    "scores": "mAP on the clean test split of rendered scenes",
    "gains": "What one way to train gains over another, in mAP points",
    "quality": "The cleaning of the train split against the truth",
    "photographs": "mAP on photographs, trained over the grid",
}


def tables(entries: Mapping[str, Entry], sets: Sequence[Scenes], photographs: bool) -> dict[str, Table]:
    """The tables by their titles.

    Args:
        entries: what came of the runs.
        sets: of rendered scenes.
        photographs: whether there are real ones as well.

    Raises:
        UserError: figures that cannot be compared.
    """
    found = {
        TITLES["scores"]: score_table(entries, sets),
        TITLES["gains"]: gain_table(entries, sets),
        TITLES["quality"]: quality_table(entries, sets),
    }
    return found | ({TITLES["photographs"]: photograph_table(entries)} if photographs else {})


def as_page(found: Mapping[str, Table], entries: Mapping[str, Entry]) -> str:
    """Tables below their titles, and all runs, as a page of Markdown."""
    parts = as_sections({**found, "Runs": run_table(entries)})
    return "\n\n".join(["# Training on noisy and on cleaned classes", *parts]) + "\n"


def picture(entries: Mapping[str, Entry], sets: Sequence[Scenes]) -> Image.Image | None:
    """For each noise a dot for each seed and way to train, in mAP per cent; None where nothing is trained yet."""
    groups: dict[str, dict[str, list[float]]] = {}
    for scenes in sorted(sets, key=lambda scenes: scenes.noise):
        found = {arm: score for arm, score in scores_of(entries, scenes.name).items() if score is not None}
        if found:
            group = groups.setdefault(f"{100 * scenes.noise:g} % of the labels wrong", {arm: [] for arm in ARMS})
            for arm, score in found.items():
                group[arm].append(100 * score)
    return dots(groups, "mAP %", title=str, width=WIDTH) if groups else None
