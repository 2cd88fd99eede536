"""All experiments that are rows unless others are named; tests/models/test_descriptors.py has formulas of some."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deepret.config import groups
from deepret.programs.tables.rows import DESCRIPTORS

TRAININGS = {"dir_grid", "dir_rpn", "faster_rcnn", "landmarks", "matrix", "regional_attention", "retraining"}
SETS = {"one"}
"""Images are sets of codes there, and the table has one code an image."""
SMALL = {
    "mac": ("", 1280),
    "spoc": ("head.dim=8", 8),
    "spoc_centre": ("head.dim=8", 8),
    "crow": ("head.dim=8", 8),
    "gem": ("", 1280),
    "rmac": ("projection.dim=8", 8),
    "rmac_integral": ("projection.dim=8", 8),
    "neural_codes_l5": ("", 11520),
    "neural_codes_l6": ("", 1280),
    "neural_codes_l7": ("", 1000),
    "fisher16": ("", 2 * 16 * 64),
    "fisher256": ("aggregation.components=8", 2 * 8 * 64),
    "vlad": ("", 64 * 64),
    "triangulation1": ("", 64),
    "triangulation16": ("aggregation.centres=2 dim=8 projection.dim=8", 2 * 8 - 8),
    "sparse_coding": ("aggregation.atoms=8", 8 * (1 + 4)),
    "fisher_color": ("", 4096),
    "vlad_sift": ("", 256 * 128),
    "triangulation64_sift": ("aggregation.centres=2", 2 * 128 - 128),
    "sparse_sift": ("", 1280),
}
"""What makes a descriptor small enough for 24 photographs, and its dimensions then."""


def test_every_experiment_that_is_a_descriptor_is_a_row_but_for_what_has_to_be_downloaded() -> None:
    others = {name for name in groups()["experiment"] if name.endswith("_alexnet")} | TRAININGS | SETS
    assert set(DESCRIPTORS) == set(groups()["experiment"]) - others
    assert set(SMALL) == set(DESCRIPTORS)


@pytest.mark.slow
def test_each_is_composed_and_fitted_and_gives_the_same_digits_again_from_nothing(table: Any) -> None:
    rows = {f"{name} {words}".strip(): dims for name, (words, dims) in SMALL.items()}
    found = table("dims=[]", rows=json.dumps(list(rows)))
    assert found["failed"] == {}
    entries = table.entries()
    assert {name: entries[f"{name}, size"]["figures"]["dim"] for name in rows} == rows
    assert all(0.2 < figures["scenes"] <= 1 for figures in found["figures"].values())
    table.start_anew("again")
    again = table("dims=[]", rows=json.dumps(list(rows)))
    assert table.seen() > 0
    assert again["figures"] == found["figures"]
