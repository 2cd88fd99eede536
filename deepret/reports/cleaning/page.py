"""The page of a cleaning: one HTML file without scripts, and thumbnails beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from deepret.cleaning.stages import Cleaned
from deepret.data.listing import Row
from deepret.files import write_whole
from deepret.reports.cleaning import figures
from deepret.reports.cleaning.drawn import chosen, draw
from deepret.reports.cleaning.histogram import Histogram, histogram
from deepret.reports.cleaning.numbers import counted, percent, whole
from deepret.reports.cleaning.thumbnails import FOLDER, remove_others, write_thumbnails

MOST_CLASSES = 1000
"""Classes that the table lists."""


def write_report(
    folder: Path, found: Cleaned, drawn: int, more: dict[str, Any], left_out: Sequence[tuple[Row, str]] = ()
) -> Path:
    """Writes ``folder/report.html``, and thumbnails below ``folder/report/``.

    Args:
        folder: where to; it is made where it is missing.
        found: what the set became.
        drawn: so many classes are drawn, those that lose the largest share first; none of a single photograph.
        more: lines for the head beside the figures, by name.
        left_out: photographs that the set's catalogue had not, with why; they are counted among the dropped.

    Returns:
        the page.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    order = figures.order(found.classes)
    classes = {i: chosen(found.classes[i]) for i in [i for i in order if len(found.classes[i].rows) > 1][:drawn]}
    rows = [row for some in classes.values() for row in some]
    shown = write_thumbnails(folder / FOLDER, found.catalogue, rows)
    reasons, other_reasons = figures.reasons(found, left_out)
    same, other_same = figures.same(found)
    text = (
        environment()
        .get_template("page.html")
        .render(
            title=f"Cleaned: {found.catalogue.root.name}",
            found=found,
            head=figures.head(found, left_out),
            more={name: str(value) for name, value in more.items()},
            reasons=reasons,
            other_reasons=other_reasons,
            stages=figures.stages(found),
            histogram=scores(found),
            same=same,
            other_same=other_same,
            listed=order[:MOST_CLASSES],
            unlisted=len(order) - len(order[:MOST_CLASSES]),
            drawn={i: draw(found, found.classes[i], some, shown, folder) for i, some in classes.items()},
        )
    )
    page = folder / "report.html"
    write_whole(page, valid(text).encode())
    remove_others(folder / FOLDER, rows)
    return page


def environment() -> Environment:
    """Templates of this package, escaping all that they are given."""
    made = Environment(
        loader=PackageLoader("deepret.reports.cleaning"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["whole"] = whole
    made.globals["percent"] = percent
    made.globals["counted"] = counted
    return made


def scores(found: Cleaned) -> Histogram | None:
    """The histogram of all pairs that were compared, and of those across that the threshold is read off."""
    counted = found.threshold.scores if found.threshold is not None else np.zeros(0)
    values = {"across": found.across.scores, "counted": counted[counted > 0], "within": found.within}
    none = {
        "across": found.across.count - len(found.across),
        "counted": int((counted == 0).sum()),
        "within": sum(one.compared for one in found.classes) - len(found.within),
    }
    ends = figures.threshold_ends(found.classes)
    return histogram(values, none, ends, f"threshold {figures.threshold_words(found.classes)}")


def valid(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file's name that are none of it become �."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
