from __future__ import annotations

from typing import Any

from deepret.reports.dots import COLOURS
from deepret.reports.loop.jobs import Scenes
from deepret.reports.loop.told import TITLES, as_page, picture, tables
from deepret.reports.table import as_text

SETS = [Scenes(0.4, 0), Scenes(0.4, 1), Scenes(0.2, 0)]


def trained(**stages: float) -> dict[str, Any]:
    about = {"seconds": 3.0, "attempts": 1, "machine": "m", "date": "d", "command": "deepret train"}
    return {"figures": {"stages": {k.replace("_", " "): v for k, v in stages.items()}, "counts": {}}, **about}


ENTRIES = {
    "0.4/0 noisy": trained(before_training=0.5),
    "0.4/1 noisy": trained(before_training=0.6),
}
ENTRIES["0.4/0 noisy"]["figures"]["stages"]["1-ranking"] = 0.7


def test_text_and_page_hold_every_table() -> None:
    found = tables(ENTRIES, SETS, photographs=True)
    assert list(found) == list(TITLES.values())
    text, page = as_text(found), as_page(found, ENTRIES)
    for title in TITLES.values():
        assert title in text
        assert f"## {title}\n\n|" in page
    assert "| 0.4/0 | 50.00 | 70.00 | - | - | - | - |" in page
    assert "`deepret train`" in page.partition("## Runs")[2]
    assert TITLES["photographs"] not in as_text(tables(ENTRIES, SETS, photographs=False))


def test_the_picture_shows_the_noises_that_have_figures() -> None:
    drawn = picture(ENTRIES, SETS)
    assert drawn is not None
    assert 800 <= drawn.width <= 950
    colours = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in drawn.getcolors(1 << 20) or []}
    assert {*COLOURS[:2]} <= colours
    assert not {*COLOURS[2:]} & colours
    assert picture({}, SETS) is None
    more = picture({**ENTRIES, "0.2/0 noisy": trained(before_training=0.5)}, SETS)
    assert more is not None
    assert more.height > drawn.height
