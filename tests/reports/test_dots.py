from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepret.reports.dots import COLOURS, dots, scale_of


@given(low=st.floats(-100, 100), span=st.floats(0.01, 200))
def test_a_scale_holds_both_ends_in_a_few_round_steps(low: float, span: float) -> None:
    start, end, step = scale_of(low, low + span)
    assert start <= low + 1e-9
    assert end >= low + span - 1e-6
    assert 3 <= round((end - start) / step) <= 8
    assert f"{step:e}"[0] in "125"


def test_a_scale_ends_at_a_figure_that_is_a_tick() -> None:
    assert scale_of(20.0, 100.0) == (20, 100, 20)


def test_one_figure_is_drawn_too() -> None:
    scale = scale_of(5.0, 5.0)
    assert scale[0] <= 5 <= scale[1]
    dots({"a": {"b": [5.0]}}, "mAP %")


@pytest.mark.parametrize("name", [0, 1])
def test_each_names_dots_have_its_colour(name: int) -> None:
    picture = dots({"one": {"first": [10.0, 20.0], "second": [30.0, 40.0]}}, "mAP %")
    colours = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in picture.getcolors(1 << 20) or []}
    assert COLOURS[name] in colours


def test_names_that_are_long_or_without_figures_have_room() -> None:
    plain = dots({"one": {"first": [10.0], "second": [30.0]}}, "mAP %")
    names = {"first": [10.0], "second, which has a name of many letters": [], "third": [30.0]}
    long = dots({"one": names}, "mAP %", width=500)
    assert long.height > plain.height
    assert long.width > plain.width + 80
    colours = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in long.getcolors(1 << 20) or []}
    assert COLOURS[1] not in colours
    assert COLOURS[2] in colours
